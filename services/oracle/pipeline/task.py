"""What every task is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.oracle.pipeline.errors import TaskError
from services.oracle.pipeline.fetch import Fetcher
from services.oracle.pipeline.last_answers import LastAnswers
from services.oracle.pipeline.values import Value


@dataclass(frozen=True, slots=True)
class Context:
    """
    Hold what a task may use.

    Attributes:
        inputs: The results of the tasks before it, or the errors they ended with.
        variables: The results of all finished tasks by id, and `jobRun`, `jb`.
        fetcher: The way to bridges and HTTP servers.
        last_answers: The last good answers of this task's bridge.
        until_s: When its requests have to be over, by the event loop's clock.
    """

    inputs: Sequence[Value | TaskError]
    variables: Mapping[str, Value]
    fetcher: Fetcher
    last_answers: LastAnswers
    until_s: float

    def checked(self, least: int = 0, most: int | None = 1) -> Sequence[Value]:
        """Return the inputs; TaskError if there are too few or too many of them, or one is an error."""
        count = len(self.inputs)
        if count < least or (most is not None and count > most):
            # `min` and `max` are -1 where a task does not care.
            raise TaskError(f"task inputs: min: {least} max: {most} (got {count}): wrong number of task inputs")
        if any(isinstance(value, TaskError) for value in self.inputs):
            raise TaskError("task inputs: too many errors")
        return self.inputs


class Task(Protocol):
    """Turn inputs into a result."""

    async def run(self, context: Context) -> Value:
        """Return the result; TaskError if there is none."""
        ...
