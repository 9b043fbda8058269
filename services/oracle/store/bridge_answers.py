"""The last good answers of the jobs' bridges, so that they outlive a restart."""

from meshkit.clock import Clock
from services.oracle.pipeline.last_answers import KeptAnswer, LastAnswers
from services.oracle.store.database import Database


class BridgeAnswerStore:
    """Keep the last answers of each job; `flush` writes those that changed."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._jobs: dict[int, LastAnswers] = {}

    async def load(self) -> None:
        """Take up the answers of an earlier run."""
        found: dict[int, dict[str, KeptAnswer]] = {}
        sql = "SELECT job_id, task_id, request_hash, answered_ms, body FROM bridge_last_answers"
        for row in await self._database.fetch(sql):
            kept = KeptAnswer(row["request_hash"], row["answered_ms"], row["body"])
            found.setdefault(row["job_id"], {})[row["task_id"]] = kept
        self._jobs = {job_id: LastAnswers(self._clock, kept) for job_id, kept in found.items()}

    def of(self, job_id: int) -> LastAnswers:
        """Return the answers of a job, the same ones each time."""
        return self._jobs.setdefault(job_id, LastAnswers(self._clock))

    def forget(self, job_id: int) -> None:
        """Drop the answers of a job that is gone; another of its number has nothing to do with them."""
        self._jobs.pop(job_id, None)

    async def flush(self) -> None:
        """Write what changed since the last flush; jobs that are gone meanwhile are left out."""
        rows = [
            (job_id, task_id, kept.request_hash, kept.answered_ms, kept.body)
            for job_id, answers in self._jobs.items()
            for task_id, kept in answers.take_changed().items()
        ]
        if rows:
            await self._database.execute_many(
                "INSERT INTO bridge_last_answers (job_id, task_id, request_hash, answered_ms, body)"
                " SELECT id, $2::text, $3::bytea, $4::bigint, $5::text FROM jobs WHERE id = $1"
                " ON CONFLICT (job_id, task_id) DO UPDATE SET request_hash = $3, answered_ms = $4, body = $5",
                rows,
            )
