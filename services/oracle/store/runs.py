"""The last runs of each job's pipeline, for whoever looks into a feed; written together, the newest only."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import orjson

from meshkit.errors import NotFound
from services.oracle.pipeline.record import PipelineRun, TaskRun
from services.oracle.store.database import Database, storable_json

# As with the real node, what comes faster than it can be written is not kept.
_MOST_WAITING = 100
_INSERT = (
    "INSERT INTO pipeline_runs (job_id, created_at, finished_at, ok, inputs, outputs, fatal_errors, task_runs)"
    " SELECT id, to_timestamp($2::float8 / 1000), to_timestamp($3::float8 / 1000), $4, $5::jsonb, $6::jsonb,"
    " $7::jsonb, $8::jsonb FROM jobs WHERE id = $1"
)


class RunStore:
    """Keep runs; of each job at most `most_successful` good ones, and as many that failed."""

    def __init__(self, database: Database, most_successful: int) -> None:
        self._database = database
        self._most = most_successful
        self._waiting: dict[tuple[int, bool], PipelineRun] = {}
        self.dropped = 0

    def note(self, run: PipelineRun) -> None:
        """Remember a run for the next flush: of each job the newest good one and the newest that failed."""
        key = (run.job_id, run.ok)
        if not self._most and run.ok:
            return
        if key in self._waiting:
            self.dropped += 1
        elif len(self._waiting) >= _MOST_WAITING:
            self.dropped += 1
            return
        self._waiting[key] = run

    async def flush(self) -> None:
        """Write what is new, and delete what is over the limit; runs of jobs that are gone are left out."""
        runs, self._waiting = list(self._waiting.values()), {}
        if not runs:
            return
        await self._database.execute_many(_INSERT, [_values(run) for run in runs])
        await self._database.execute_many(
            "DELETE FROM pipeline_runs WHERE job_id = $1 AND ok = $2 AND id <= (SELECT id FROM pipeline_runs"
            " WHERE job_id = $1 AND ok = $2 ORDER BY id DESC LIMIT 1 OFFSET $3)",
            [(run.job_id, run.ok, max(self._most, 1)) for run in runs],
        )

    async def save(self, run: PipelineRun) -> PipelineRun:
        """Write a run at once; return it with its number. NotFound if its job is gone."""
        row = await self._database.fetch_one(f"{_INSERT} RETURNING *", *_values(run))
        if row is None:
            raise NotFound("JobSpec", str(run.job_id))
        return _run(row)

    async def of_job(self, job_id: int | None, first: int, count: int) -> tuple[Sequence[PipelineRun], int]:
        """Return a page of a job's runs, or of all jobs' for None, newest first, and how many there are."""
        await self.flush()
        rows = await self._database.fetch(
            "SELECT * FROM pipeline_runs WHERE $1::integer IS NULL OR job_id = $1 ORDER BY id DESC LIMIT $2 OFFSET $3",
            job_id,
            count,
            first,
        )
        total = await self._database.fetch_one(
            "SELECT count(*) AS n FROM pipeline_runs WHERE $1::integer IS NULL OR job_id = $1", job_id
        )
        return [_run(row) for row in rows], total["n"] if total else 0

    async def get(self, run_id: int) -> PipelineRun | None:
        """Return one run, or None."""
        await self.flush()
        row = await self._database.fetch_one("SELECT * FROM pipeline_runs WHERE id = $1", run_id)
        return None if row is None else _run(row)


def _values(run: PipelineRun) -> tuple[object, ...]:
    return (
        run.job_id,
        float(run.created_ms),
        float(run.finished_ms),
        run.ok,
        storable_json(run.inputs),
        _json(run.outputs),
        _json(run.fatal_errors),
        None if run.tasks is None else _json([asdict(task) for task in run.tasks]),
    )


def _run(row: Any) -> PipelineRun:
    return PipelineRun(
        row["job_id"],
        _ms(row["created_at"]),
        _ms(row["finished_at"]),
        row["inputs"],
        tuple(orjson.loads(row["outputs"])),
        tuple(orjson.loads(row["fatal_errors"])),
        None if row["task_runs"] is None else tuple(TaskRun(**task) for task in orjson.loads(row["task_runs"])),
        row["id"],
    )


def _json(value: object) -> str:
    return storable_json(json.dumps(value, ensure_ascii=False))


def _ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)
