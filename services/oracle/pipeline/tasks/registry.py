"""The types of tasks by name."""

from collections.abc import Callable

from meshkit.go_quoted import quoted
from services.oracle.pipeline.attributes import Attributes
from services.oracle.pipeline.errors import SpecificationError
from services.oracle.pipeline.task import Task
from services.oracle.pipeline.tasks import encoding
from services.oracle.pipeline.tasks.abi import EthAbiDecodeTask, EthAbiEncodeTask
from services.oracle.pipeline.tasks.arithmetic import DivideTask, LessThanTask, MultiplyTask
from services.oracle.pipeline.tasks.bridge import BridgeTask
from services.oracle.pipeline.tasks.http import HttpTask
from services.oracle.pipeline.tasks.jsonparse import JsonParseTask
from services.oracle.pipeline.tasks.selection import (
    AnyTask,
    ConditionalTask,
    FailTask,
    LookupTask,
    MemoTask,
    MergeTask,
)
from services.oracle.pipeline.tasks.statistics import MeanTask, MedianTask, ModeTask, SumTask
from services.oracle.pipeline.tasks.unavailable import UNAVAILABLE, UnavailableTask

_TYPES: dict[str, Callable[[Attributes], Task]] = {
    "bridge": BridgeTask.read,
    "http": HttpTask.read,
    "jsonparse": JsonParseTask.read,
    "multiply": MultiplyTask.read,
    "divide": DivideTask.read,
    "lessthan": LessThanTask.read,
    "median": MedianTask.read,
    "mean": MeanTask.read,
    "sum": SumTask.read,
    "mode": ModeTask.read,
    "any": AnyTask.read,
    "memo": MemoTask.read,
    "fail": FailTask.read,
    "conditional": ConditionalTask.read,
    "lookup": LookupTask.read,
    "merge": MergeTask.read,
    "length": encoding.encoding(encoding.length),
    "uppercase": encoding.encoding(encoding.uppercase),
    "lowercase": encoding.encoding(encoding.lowercase),
    "hexencode": encoding.encoding(encoding.hex_encode),
    "hexdecode": encoding.encoding(encoding.hex_decode),
    "base64encode": encoding.encoding(encoding.base64_encode),
    "base64decode": encoding.encoding(encoding.base64_decode),
    "ethabiencode": EthAbiEncodeTask.read,
    "ethabidecode": EthAbiDecodeTask.read,
}


def create(kind: str, attributes: Attributes) -> Task:
    """Make a task of its attributes; SpecificationError if there is no such type."""
    lower = kind.lower()
    if lower in UNAVAILABLE:
        return UnavailableTask.read(lower, attributes)
    if lower not in _TYPES:
        raise SpecificationError(f"UnmarshalTaskFromMap: unknown task type: {quoted(lower[:200])}")
    return _TYPES[lower](attributes)
