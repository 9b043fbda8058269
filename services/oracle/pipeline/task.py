"""What every task is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from services.oracle.pipeline.errors import TaskError
from services.oracle.pipeline.fetch import Fetcher

Value = Any
"""A result: text, int, Decimal, bool, None, a list or a mapping of these."""


@dataclass(frozen=True, slots=True)
class Context:
    """
    Hold what a task may use.

    Attributes:
        inputs: The results of the tasks before it, or the errors they ended with.
        variables: The results of all finished tasks by id, and `jobRun`, `jb`.
        fetcher: The way to bridges and HTTP servers.
        has_own_timeout: Whether the task's text sets a timeout, which switches the default one off.
    """

    inputs: Sequence[Value | TaskError]
    variables: Mapping[str, Any]
    fetcher: Fetcher
    has_own_timeout: bool

    def no_errors(self) -> Sequence[Value]:
        """Return the inputs; TaskError if one of them is an error."""
        errors = [value for value in self.inputs if isinstance(value, TaskError)]
        if errors:
            raise TaskError(f"task inputs: too many errors: {errors[0]}")
        return self.inputs

    def one_input(self) -> Value:
        """Return the only input; TaskError if there is none, or more, or it is an error."""
        inputs = self.no_errors()
        if len(inputs) != 1:
            raise TaskError(f"task inputs: wrong number of inputs: {len(inputs)}, expected 1")
        return inputs[0]


class Task(Protocol):
    """Turn inputs into a result."""

    async def run(self, context: Context) -> Value:
        """Return the result; TaskError if there is none."""
        ...
