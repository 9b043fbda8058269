"""The types of tasks by name."""

from collections.abc import Callable

from services.oracle.pipeline.arithmetic import DivideTask, MultiplyTask
from services.oracle.pipeline.attributes import Attributes
from services.oracle.pipeline.bridge import BridgeTask
from services.oracle.pipeline.errors import SpecificationError
from services.oracle.pipeline.http import HttpTask
from services.oracle.pipeline.jsonparse import JsonParseTask
from services.oracle.pipeline.selection import AnyTask, MemoTask
from services.oracle.pipeline.statistics import MeanTask, MedianTask, ModeTask, SumTask
from services.oracle.pipeline.task import Task

__all__ = ["BridgeTask", "create"]

_TYPES: dict[str, Callable[[Attributes], Task]] = {
    "bridge": BridgeTask.read,
    "http": HttpTask.read,
    "jsonparse": JsonParseTask.read,
    "multiply": MultiplyTask.read,
    "divide": DivideTask.read,
    "median": MedianTask.read,
    "mean": MeanTask.read,
    "sum": SumTask.read,
    "mode": ModeTask.read,
    "any": AnyTask.read,
    "memo": MemoTask.read,
}


def create(task_id: str, values: dict[str, str]) -> Task:
    """Make a task of its attributes; SpecificationError names the attribute that is wrong."""
    attributes = Attributes(task_id, values)
    kind = attributes.text("type") or ""
    if kind not in _TYPES:
        raise SpecificationError(f"observationSource.{task_id}.type", kind or "nothing", ", ".join(_TYPES))
    task = _TYPES[kind](attributes)
    attributes.done()
    return task
