"""The jobs and their errors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from services.oracle.errors import JobRefused
from services.oracle.store.database import Database

# A description is part of an index, which takes no longer texts.
_LONGEST_DESCRIPTION = 500


@dataclass(frozen=True, slots=True)
class StoredJob:
    """Hold what the database says of a job beside its text."""

    id: int
    external_job_id: UUID
    created_at: datetime


@dataclass(frozen=True, slots=True)
class JobError:
    """Hold one error of a job and how often it occurred."""

    id: int
    description: str
    occurrences: int
    created_at: datetime
    updated_at: datetime


class JobStore:
    """Keep jobs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> Sequence[tuple[StoredJob, str]]:
        """Return all jobs with their TOML in the order of their numbers."""
        rows = await self._database.fetch("SELECT id, external_job_id, toml, created_at FROM jobs ORDER BY id")
        return [(_stored(row), row["toml"]) for row in rows]

    async def create(
        self, external_job_id: UUID, name: str | None, place: tuple[str, int] | None, toml: str, job_id: int | None
    ) -> StoredJob:
        """
        Store a job, under a given number or the next one; `place` is its contract and chain, if it has one.

        Raises JobRefused with the real node's texts for a duplicate.
        """
        sql = (
            "INSERT INTO jobs (id, external_job_id, name, contract_address, evm_chain_id, toml) VALUES"
            " (coalesce($6::integer, nextval(pg_get_serial_sequence('jobs', 'id'))::integer), $1, $2, $3, $4, $5)"
            " RETURNING id, external_job_id, created_at"
        )
        contract, chain_id = place or (None, None)
        try:
            row = await self._database.fetch_one(sql, external_job_id, name, contract, chain_id, toml, job_id)
        except asyncpg.UniqueViolationError as error:
            if place is not None and await self._is_taken(*place):
                text = f"a job with contract address {contract} already exists for chain ID {chain_id}"
                raise JobRefused(f"CreateJobFailed: {text}") from error
            raise _refused(error) from error
        except asyncpg.StringDataRightTruncationError as error:
            raise _refused(error) from error
        if row is None:
            raise JobRefused("CreateJobFailed: no row was returned")
        return _stored(row)

    async def _is_taken(self, contract: str, chain_id: int) -> bool:
        sql = "SELECT 1 FROM jobs WHERE contract_address = $1 AND evm_chain_id = $2"
        return await self._database.fetch_one(sql, contract, chain_id) is not None

    async def delete(self, job_id: int) -> bool:
        """Delete a job with its errors; tell whether it existed."""
        return await self._database.execute("DELETE FROM jobs WHERE id = $1", job_id) > 0

    async def record_error(self, job_id: int, description: str) -> None:
        """Add an error to a job, or count one that it has already; of a long one the beginning is kept."""
        await self._database.execute(
            "INSERT INTO job_errors (job_id, description) SELECT id, $2::text FROM jobs WHERE id = $1"
            " ON CONFLICT (job_id, description)"
            " DO UPDATE SET occurrences = job_errors.occurrences + 1, updated_at = now()",
            job_id,
            description[:_LONGEST_DESCRIPTION],
        )

    async def errors(self, job_ids: Sequence[int]) -> Mapping[int, Sequence[JobError]]:
        """Return the errors of jobs by the jobs' numbers, oldest first; jobs without any are left out."""
        rows = await self._database.fetch(
            "SELECT job_id, id, description, occurrences, created_at, updated_at FROM job_errors"
            " WHERE job_id = ANY($1::integer[]) ORDER BY id",
            list(job_ids),
        )
        found: dict[int, list[JobError]] = {}
        for row in rows:
            values = dict(row)
            found.setdefault(values.pop("job_id"), []).append(JobError(**values))
        return found

    async def dismiss_error(self, error_id: int) -> bool:
        """Delete one error; tell whether it existed."""
        return await self._database.execute("DELETE FROM job_errors WHERE id = $1", error_id) > 0


def _stored(row: asyncpg.Record) -> StoredJob:
    return StoredJob(row["id"], row["external_job_id"], row["created_at"])


def _refused(error: asyncpg.PostgresError) -> JobRefused:
    # Its text has the row beside the message.
    return JobRefused(f"CreateJobFailed: failed to insert job: ERROR: {error.message} (SQLSTATE {error.sqlstate})")
