"""Each job's last observation, written together every few seconds rather than one by one."""

from dataclasses import dataclass
from decimal import Decimal

from services.oracle.store.database import Database


@dataclass(frozen=True, slots=True)
class LastObservation:
    """Hold an observation after the pipeline, and its time in Unix seconds."""

    answer: int
    observed_at_s: int


class LastObservationStore:
    """Keep the last observations; `flush` writes those that changed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._changed: dict[int, LastObservation] = {}

    async def load(self, job_id: int) -> LastObservation | None:
        """Return a job's last observation of an earlier run, or None."""
        sql = "SELECT answer, observed_at_s FROM last_answers WHERE job_id = $1"
        row = await self._database.fetch_one(sql, job_id)
        return LastObservation(int(row["answer"]), row["observed_at_s"]) if row else None

    def note(self, job_id: int, answer: LastObservation) -> None:
        """Remember an observation for the next flush."""
        self._changed[job_id] = answer

    async def flush(self) -> None:
        """Write what changed since the last flush; jobs that are gone meanwhile are left out."""
        changed, self._changed = self._changed, {}
        if changed:
            await self._database.execute_many(
                "INSERT INTO last_answers (job_id, answer, observed_at_s)"
                " SELECT id, $2::numeric, $3::bigint FROM jobs WHERE id = $1"
                " ON CONFLICT (job_id) DO UPDATE SET answer = $2, observed_at_s = $3",
                [(job_id, Decimal(held.answer), held.observed_at_s) for job_id, held in changed.items()],
            )
