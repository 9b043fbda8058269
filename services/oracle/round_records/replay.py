"""What a kept round was made of, through the code that runs now: the job's pipeline, and the median of the report."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from feedmesh.oracle.v1 import oracle_service_pb2 as pb
from meshkit.clock import ManualClock
from meshkit.errors import FailedPrecondition
from services.oracle.ocr.report import AttributedObservation, decode_report, encode_report, median
from services.oracle.pipeline.errors import TaskError
from services.oracle.pipeline.fetch import Answer, Fetcher
from services.oracle.pipeline.graph import Pipeline, Step
from services.oracle.pipeline.last_answers import LastAnswers
from services.oracle.pipeline.run import observation, run
from services.oracle.pipeline.task import Context
from services.oracle.pipeline.tasks.bridge import BridgeTask, interpret
from services.oracle.pipeline.tasks.http import HttpTask
from services.oracle.pipeline.values import Value

_LIMIT_S = 5.0
_NO_TAG = bytes(32)


@dataclass(frozen=True, slots=True)
class _KeptAnswer:
    """Stand in for a bridge with what it answered once."""

    kept: pb.BridgeAnswer | None

    async def run(self, _context: Context) -> Value:
        """Return the answer as the bridge's task reads it now; the kept error if there was no result."""
        if self.kept is None:
            raise TaskError("its answer was not kept")
        if self.kept.error:
            raise TaskError(self.kept.error)
        if not self.kept.body:
            raise TaskError("its answer was too long to be kept")
        return interpret(Answer(200, self.kept.body))


async def replay(record: pb.RoundRecord, pipeline: Pipeline, fetcher: Fetcher) -> pb.ReplayRoundResponse:
    """
    Return what was kept of a round beside what comes of it now.

    Args:
        record: The round as one node keeps it.
        pipeline: The job's.
        fetcher: Gives the limits of requests; nobody is asked.

    Raises:
        FailedPrecondition: when neither an observation nor a report of it is kept.
    """
    found = pb.ReplayRoundResponse()
    seen = _last(record, pb.ROUND_STAGE_OBSERVED)
    if seen is not None:
        found.observation = seen.value
        try:
            found.replayed_observation = str(await _observed(seen, pipeline, fetcher))
        except TaskError as error:
            found.observation_error = str(error)
    report = _last(record, pb.ROUND_STAGE_FINALIZED, pb.ROUND_STAGE_REPORTED, pb.ROUND_STAGE_COMPLETED)
    if report is not None and report.observations:
        found.median = report.value
        found.replayed_median = str(_median(report))
    if seen is None and not found.median:
        where = f"{record.name} {record.epoch}/{record.round}"
        raise FailedPrecondition(f"of round {where} this node keeps neither an observation nor a report")
    return found


async def _observed(seen: pb.RoundMoment, pipeline: Pipeline, fetcher: Fetcher) -> int:
    asking = [step.id for step in pipeline.steps if isinstance(step.task, HttpTask)]
    if asking:
        raise TaskError(f"the answers of http tasks are not kept: {', '.join(asking)}")
    kept = {answer.task: answer for answer in seen.answers}
    steps = tuple(_replayed(step, kept) for step in pipeline.steps)
    nobody = LastAnswers(ManualClock(seen.time.ToMilliseconds()))
    variables: Mapping[str, Value] = {"jobRun": {"meta": {"latestAnswer": None, "updatedAt": None}}, "jb": {}}
    finished = await run(replace(pipeline, steps=steps), fetcher, nobody, variables, _LIMIT_S)
    return observation(pipeline, finished.results)


def _replayed(step: Step, kept: Mapping[str, pb.BridgeAnswer]) -> Step:
    if not isinstance(step.task, BridgeTask):
        return step
    once = replace(step.common, retries=0)
    return replace(step, task=_KeptAnswer(kept.get(step.id)), common=once)


def _median(report: pb.RoundMoment) -> int:
    """Return the answer of the report as a contract would read it, encoded and decoded."""
    values = zip(report.observers, map(int, report.observations), strict=True)
    _, observations = decode_report(encode_report(_NO_TAG, [AttributedObservation(*each) for each in values]))
    return median(observations)


def _last(record: pb.RoundRecord, *stages: "pb.RoundStage.ValueType") -> pb.RoundMoment | None:
    """Return the last moment of the first of the stages that the record has."""
    for stage in stages:
        for moment in reversed(record.moments):
            if moment.stage == stage:
                return moment
    return None
