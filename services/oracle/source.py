"""The data source of a feed: its job's pipeline."""

import asyncio

from meshkit.clock import Clock
from services.oracle.jobs import OracleJob
from services.oracle.metrics import FeedMetrics
from services.oracle.pipeline.errors import TaskError
from services.oracle.pipeline.fetch import Fetcher
from services.oracle.pipeline.last_answers import LastAnswers
from services.oracle.pipeline.record import record
from services.oracle.pipeline.run import observation, run
from services.oracle.status import FeedStatus
from services.oracle.store.answers import AnswerStore, LastAnswer
from services.oracle.store.runs import RunStore

# A run ends a little before the observation has to be there, so that a partial result can still be used.
_LONGEST_RESERVE_S = 0.1


class PipelineSource:
    """Observe by running the pipeline; the DataSource of the protocol."""

    def __init__(
        self,
        job_id: int,
        job: OracleJob,
        fetcher: Fetcher,
        answers: AnswerStore,
        bridge_answers: LastAnswers,
        runs: RunStore,
        clock: Clock,
        status: FeedStatus,
        metrics: FeedMetrics,
    ) -> None:
        self._job_id = job_id
        self._job = job
        self._fetcher = fetcher
        self._answers = answers
        self._bridge_answers = bridge_answers
        self._runs = runs
        self._clock = clock
        self._status = status
        self._metrics = metrics
        self._last: LastAnswer | None = None

    async def restore(self) -> None:
        """Take up the last answer of an earlier run; DatabaseUnavailable if it cannot be read."""
        self._last = await self._answers.load(self._job_id)

    async def observe(self, epoch: int, round_number: int) -> int:
        """Return the feed's value now; RunError if the pipeline has none."""
        limit_s = self._job.timings.observation_s
        limit_s -= min(_LONGEST_RESERVE_S, limit_s / 10)
        if self._job.max_task_s:
            limit_s = min(limit_s, self._job.max_task_s)
        last = self._last
        meta = {
            "latestAnswer": None if last is None else last.answer,
            "updatedAt": None if last is None else last.observed_at_s,
        }
        variables = {
            "jobRun": {"meta": meta},
            "jb": {
                "databaseID": self._job_id,
                "externalJobID": str(self._job.external_job_id),
                "name": self._job.name or "",
            },
        }
        pipeline = self._job.pipeline
        finished = await run(pipeline, self._fetcher, self._bridge_answers, variables, limit_s)
        now = (self._clock.time_ms(), asyncio.get_running_loop().time())
        self._runs.note(record(self._job_id, pipeline, finished, variables, now))
        try:
            value = observation(pipeline, finished.results)
        except TaskError as error:
            self._status.fail(f"observation failed: {error}")
            self._status.failed_runs += 1
            self._metrics.failed_runs = self._status.failed_runs
            raise
        self._last = LastAnswer(value, now[0] // 1000)
        self._status.last_observation = value
        self._metrics.median = value
        self._answers.note(self._job_id, self._last)
        return value
