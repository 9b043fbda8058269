"""A run as it is shown to whoever looks into a feed."""

from collections.abc import Mapping
from typing import Any

from services.oracle.pipeline.bridge import dump
from services.oracle.pipeline.errors import TaskError
from services.oracle.pipeline.graph import Pipeline
from services.oracle.pipeline.run import Results
from services.oracle.store.runs import PipelineRun, TaskRun

# A body may be as long as the node reads; the beginning is enough to see what is wrong with it.
_LONGEST_OUTPUT = 2000


def record(
    job_id: int,
    pipeline: Pipeline,
    results: Results,
    spans_s: Mapping[str, tuple[float, float]],
    inputs: dict[str, Any],
    answer: int | str,
    now: tuple[int, float],
) -> PipelineRun:
    """Return a finished run; `answer` is its value or its error in words, `now` wall milliseconds and loop seconds."""
    wall_ms, loop_s = now

    def at(seconds: float) -> int:
        return wall_ms - round((loop_s - seconds) * 1000)

    begun_s = min((begin for begin, _ in spans_s.values()), default=loop_s)
    tasks = []
    for step in pipeline.steps:
        result = results[step.id]
        failed = isinstance(result, TaskError)
        begin, end = spans_s.get(step.id, (begun_s, loop_s))
        output, error = (None, str(result)) if failed else (_text(result), None)
        tasks.append(TaskRun(step.id, step.kind, at(begin), at(end), output, error))
    output, error = (str(answer), None) if isinstance(answer, int) else (None, answer)
    return PipelineRun(job_id, at(begun_s), wall_ms, inputs, output, error, tuple(tasks))


def _text(value: object) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else dump(value).decode()
    return text if len(text) <= _LONGEST_OUTPUT else f"{text[:_LONGEST_OUTPUT]}…"
