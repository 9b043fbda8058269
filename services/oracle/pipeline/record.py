"""A run as it is shown to whoever looks into a feed."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from services.oracle.pipeline.errors import TaskError
from services.oracle.pipeline.graph import Pipeline
from services.oracle.pipeline.run import Finished
from services.oracle.pipeline.values import Value, dump, output

# A body may be as long as the node reads; the beginning is enough to see what is wrong with it.
_LONGEST_TEXT = 2000


@dataclass(frozen=True, slots=True)
class TaskRun:
    """Hold what one task of a run did; times are Unix milliseconds."""

    dot_id: str
    kind: str
    created_ms: int
    finished_ms: int
    output: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class PipelineRun:
    """
    Hold one run.

    Attributes:
        inputs: JSON of what its tasks could use: the run's own variables and the results.
        outputs: The last tasks' results as texts.
        fatal_errors: Why there are none, one for each output.
        tasks: What each task did; None where it is not kept.
    """

    job_id: int
    created_ms: int
    finished_ms: int
    inputs: str
    outputs: tuple[str | None, ...]
    fatal_errors: tuple[str | None, ...]
    tasks: tuple[TaskRun, ...] | None
    id: int = field(default=0, compare=False)

    @property
    def ok(self) -> bool:
        """Tell whether all last tasks have a result."""
        return not any(error is not None for error in self.fatal_errors)

    def without_tasks_of_success(self) -> "PipelineRun":
        """Return the run as it is kept of a job that runs all the time: its tasks are of interest when it failed."""
        return replace(self, tasks=None) if self.ok else self


def record(
    job_id: int,
    pipeline: Pipeline,
    finished: Finished,
    variables: Mapping[str, Value],
    now: tuple[int, float],
    *,
    tasks_of_success: bool = True,
) -> PipelineRun:
    """
    Return a finished run; `now` is wall-clock milliseconds and the event loop's seconds of the same moment.

    Of a job that runs all the time the tasks are of interest only when it failed: `tasks_of_success` is False there.
    """
    wall_ms, loop_s = now

    def at(seconds: float) -> int:
        return wall_ms - round((loop_s - seconds) * 1000)

    results, spans_s = finished.results, finished.spans_s
    begun_s = min((begin for begin, _ in spans_s.values()), default=loop_s)
    ends = [results[name] for name in pipeline.terminals]
    failed = any(isinstance(end, TaskError) for end in ends)
    tasks = []
    for step in pipeline.steps if failed or tasks_of_success else ():
        result = results[step.id]
        begin, end = spans_s.get(step.id, (begun_s, loop_s))
        error = _shortened(str(result)) if isinstance(result, TaskError) else None
        text = None if result is None or isinstance(result, TaskError) else _shortened(dump(result).decode())
        tasks.append(TaskRun(step.id, step.kind, at(begin), at(end), text, error))
    shown = {name: value for name, value in results.items() if not isinstance(value, TaskError)}
    inputs = {name: _shortened(value) if isinstance(value, str) else value for name, value in shown.items()}
    return PipelineRun(
        job_id,
        at(begun_s),
        wall_ms,
        dump({**_shown(variables), **inputs}).decode(),
        tuple(None if isinstance(end, TaskError) else _shortened(output(end)) for end in ends),
        tuple(_shortened(str(end)) if isinstance(end, TaskError) else None for end in ends),
        tuple(tasks) if failed or tasks_of_success else None,
    )


def _shortened(text: str | None) -> str | None:
    return text if text is None or len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"


def _shown(variables: Mapping[str, Value]) -> dict[str, Value]:
    """Return a run's variables as the node shows them: a job's UUID as a number of hex digits."""
    shown = dict(variables)
    for name in ("jb", "jobSpec"):
        about = shown.get(name)
        if isinstance(about, dict) and isinstance(about.get("externalJobID"), str):
            shown[name] = {**about, "externalJobID": "0x" + str(about["externalJobID"]).replace("-", "")}
    return shown
