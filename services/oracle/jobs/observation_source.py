"""The data source of a feed: its job's pipeline."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from meshkit.clock import Clock
from services.oracle.jobs.job_status import OracleStatus
from services.oracle.jobs.specification import OracleJob
from services.oracle.pipeline.errors import OWN_CLOCK_OFF, TaskError
from services.oracle.pipeline.fetch import Fetcher, answer_of
from services.oracle.pipeline.graph import Pipeline
from services.oracle.pipeline.record import record
from services.oracle.pipeline.run import Results, observation, run
from services.oracle.pipeline.tasks.bridge import BridgeTask
from services.oracle.round_records.recorder import BridgeAnswer, Observation, RoundRecorder
from services.oracle.store.bridge_answers import BridgeAnswerStore
from services.oracle.store.last_observations import LastObservation, LastObservationStore
from services.oracle.store.runs import RunStore

# A run ends a little before the observation has to be there, so that a partial result can still be used.
_LONGEST_RESERVE_S = 0.1


@dataclass(frozen=True, slots=True)
class ObservationSources:
    """Make the data sources of jobs, and hold what all of them observe with and write down to."""

    fetcher: Fetcher
    recorder: RoundRecorder
    bridge_answers: BridgeAnswerStore
    last_observations: LastObservationStore
    runs: RunStore
    clock: Clock

    def of(self, job_id: int, job: OracleJob, status: OracleStatus) -> "ObservationSource":
        """Return the data source of a job; `status` hears of each run."""
        return ObservationSource(job_id, job, self, status)

    def forget(self, job_id: int) -> None:
        """Drop what is kept of a job that is gone."""
        self.bridge_answers.forget(job_id)


class ObservationSource:
    """
    Observe by running the pipeline; the DataSource of the protocol.

    Attributes:
        clock_is_off: Whether the last run failed because the price aggregator says that the host's clock is off.
    """

    def __init__(self, job_id: int, job: OracleJob, sources: ObservationSources, status: OracleStatus) -> None:
        self._job_id = job_id
        self._job = job
        self._sources = sources
        self._status = status
        self._last: LastObservation | None = None
        self.clock_is_off = False

    async def restore(self) -> None:
        """Take up the last observation of an earlier run; DatabaseUnavailable if it cannot be read."""
        self._last = await self._sources.last_observations.load(self._job_id)

    async def observe(self, epoch: int, round_number: int) -> int:
        """Return the feed's value now; RunError if the pipeline has none."""
        sources, pipeline = self._sources, self._job.pipeline
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
        answers = sources.bridge_answers.of(self._job_id)
        began_ms = sources.clock.time_ms()
        finished = await run(pipeline, sources.fetcher, answers, variables, limit_s)
        now = (sources.clock.time_ms(), asyncio.get_running_loop().time())
        sources.runs.note(record(self._job_id, pipeline, finished, variables, now, tasks_of_success=False))
        seen = Observation(epoch, round_number, began_ms, now[0], bridge_answers(pipeline, finished.results))
        try:
            value = observation(pipeline, finished.results)
        except TaskError as error:
            self.clock_is_off = OWN_CLOCK_OFF in str(error)
            self._status.observation_failed(str(error))
            sources.recorder.observed(self._job.contract, replace(seen, error=str(error)))
            raise
        sources.recorder.observed(self._job.contract, replace(seen, value=value))
        self.clock_is_off = False
        self._last = LastObservation(value, now[0] // 1000)
        self._status.observed(value)
        answers_read = [result for result in finished.results.values() if isinstance(result, str)]
        self._status.priced(epoch, round_number, answers_read)
        sources.last_observations.note(self._job_id, self._last)
        return value


def bridge_answers(pipeline: Pipeline, results: Results) -> Sequence[BridgeAnswer]:
    """Return what the bridges of a pipeline answered in a run, bodies of failures included."""
    found = []
    for step in pipeline.steps:
        if not isinstance(step.task, BridgeTask):
            continue
        result = results[step.id]
        if isinstance(result, TaskError):
            cause = result.__cause__
            answer = answer_of(result) or (answer_of(cause) if isinstance(cause, TaskError) else None)
            found.append(BridgeAnswer(step.id, "" if answer is None else answer.body, str(result)))
        else:
            found.append(BridgeAnswer(step.id, result if isinstance(result, str) else ""))
    return found
