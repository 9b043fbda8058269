"""The tasks any, memo, fail, conditional, lookup and merge: they pass a value on, or refuse to."""

import random
from dataclasses import dataclass
from typing import Self

from services.oracle.pipeline.attributes import Attributes
from services.oracle.pipeline.errors import TaskError, bad_input
from services.oracle.pipeline.parameters import first_input, json_text, resolve, text, to_bool, to_mapping, variable
from services.oracle.pipeline.task import Context
from services.oracle.pipeline.values import Memo, Value, kind, unwrapped

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
            raise TaskError("AnyTask requires at least 1 input: wrong number of task inputs")
        good = [value for value in context.inputs if not isinstance(value, TaskError)]
        if not good:
            raise bad_input("There were zero non-errored inputs")
        return _RANDOM.choice(good)


@dataclass(frozen=True, slots=True)
class MemoTask:
    """Return what is written in `value`, JSON with variables; without it the input."""

    value: str

    @classmethod
    def read(cls, attributes: Attributes) -> Self:
        """Take the attributes."""
        return cls(attributes.text("value"))

    async def run(self, context: Context) -> Value:
        """Return the value."""
        context.checked()
        return resolve("value", _memo, json_text(self.value, context.variables), first_input(context.inputs))


@dataclass(frozen=True, slots=True)
class FailTask:
    """Fail always."""

    message: str

    @classmethod
    def read(cls, attributes: Attributes) -> Self:
        """Take the attributes."""
        return cls(attributes.text("msg"))

    async def run(self, _context: Context) -> Value:
        """Raise the message."""
        raise TaskError(self.message)


@dataclass(frozen=True, slots=True)
class ConditionalTask:
    """Fail unless something is true."""

    data: str

    @classmethod
    def read(cls, attributes: Attributes) -> Self:
        """Take the attributes."""
        return cls(attributes.text("data"))

    async def run(self, context: Context) -> Value:
        """Return True; TaskError if it is false."""
        context.checked()
        if not resolve("data", to_bool, variable(self.data, context.variables), first_input(context.inputs)):
            raise TaskError("conditional was not satisfied")
        return True


@dataclass(frozen=True, slots=True)
class LookupTask:
    """Take one field of the input."""

    key: str

    @classmethod
    def read(cls, attributes: Attributes) -> Self:
        """Take the attributes."""
        return cls(attributes.text("key"))

    async def run(self, context: Context) -> Value:
        """Return the field's value, None if there is no such field."""
        (found,) = context.checked(1)
        if not isinstance(found, dict):
            raise TaskError(f"unexpected input type: {kind(found)}")
        return found.get(self.key)


@dataclass(frozen=True, slots=True)
class MergeTask:
    """Put the fields of one object over those of another."""

    left: str
    right: str

    @classmethod
    def read(cls, attributes: Attributes) -> Self:
        """Take the attributes."""
        return cls(attributes.text("left"), attributes.text("right"))

    async def run(self, context: Context) -> Value:
        """Return the fields of both; where both have one, the right one's."""
        context.checked()
        variables, inputs = context.variables, context.inputs
        left = resolve("left-side", to_mapping, variable(self.left, variables), text(self.left), first_input(inputs))
        right = resolve("right-side", to_mapping, variable(self.right, variables), text(self.right))
        return (left or {}) | (right or {})


def _memo(value: Value) -> Memo:
    return Memo(unwrapped(value))
