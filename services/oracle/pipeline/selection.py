"""The tasks any and memo: they pass a value on."""

import random
from dataclasses import dataclass
from typing import Self

from services.oracle.pipeline import variables
from services.oracle.pipeline.attributes import Attributes
from services.oracle.pipeline.errors import TaskError
from services.oracle.pipeline.task import Context, Value

_RANDOM = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class AnyTask:
    """Take one of the inputs that are no errors, by chance."""

    @classmethod
    def read(cls, _attributes: Attributes) -> Self:
        """Take no attributes."""
        return cls()

    async def run(self, context: Context) -> Value:
        """Return the chosen input."""
        if not context.inputs:
            raise TaskError("task inputs: there are none, expected at least 1")
        good = [value for value in context.inputs if not isinstance(value, TaskError)]
        if not good:
            raise TaskError(f"task inputs: all failed: {context.inputs[0]}")
        return _RANDOM.choice(good)


@dataclass(frozen=True, slots=True)
class MemoTask:
    """Return what is written in `value`, JSON with variables; without it the input."""

    value: str | None

    @classmethod
    def read(cls, attributes: Attributes) -> Self:
        """Take the attributes."""
        return cls(attributes.text("value"))

    async def run(self, context: Context) -> Value:
        """Return the value."""
        if not self.value:
            return context.one_input()
        found = variables.resolve(self.value, context.variables)
        return found if found is not self.value else variables.resolve_json(self.value, context.variables)
