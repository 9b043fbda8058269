"""A run as it is shown to whoever looks into a feed."""

from collections.abc import Mapping

from services.oracle.pipeline.errors import TaskError
from services.oracle.pipeline.graph import Pipeline
from services.oracle.pipeline.run import Finished
from services.oracle.pipeline.values import Value, dump, output
from services.oracle.store.runs import PipelineRun, TaskRun

# A body may be as long as the node reads; the beginning is enough to see what is wrong with it.
_LONGEST_TEXT = 2000


def record(
    job_id: int, pipeline: Pipeline, finished: Finished, variables: Mapping[str, Value], now: tuple[int, float]
) -> PipelineRun:
    """Return a finished run; `now` is wall-clock milliseconds and the event loop's seconds of the same moment."""
    wall_ms, loop_s = now

    def at(seconds: float) -> int:
        return wall_ms - round((loop_s - seconds) * 1000)

    results, spans_s = finished.results, finished.spans_s
    begun_s = min((begin for begin, _ in spans_s.values()), default=loop_s)
    tasks = []
    for step in pipeline.steps:
        result = results[step.id]
        begin, end = spans_s.get(step.id, (begun_s, loop_s))
        error = _shortened(str(result)) if isinstance(result, TaskError) else None
        text = None if result is None or isinstance(result, TaskError) else _shortened(dump(result).decode())
        tasks.append(TaskRun(step.id, step.kind, at(begin), at(end), text, error))
    ends = [results[name] for name in pipeline.terminals]
    shown = {name: value for name, value in results.items() if not isinstance(value, TaskError)}
    inputs = {name: _shortened(value) if isinstance(value, str) else value for name, value in shown.items()}
    return PipelineRun(
        job_id,
        at(begun_s),
        wall_ms,
        dump({**variables, **inputs}).decode(),
        tuple(None if isinstance(end, TaskError) else _shortened(output(end)) for end in ends),
        tuple(_shortened(str(end)) if isinstance(end, TaskError) else None for end in ends),
        tuple(tasks),
    )


def _shortened(text: str | None) -> str | None:
    return text if text is None or len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"
