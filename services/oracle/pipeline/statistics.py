"""The tasks median, mean, sum and mode: several inputs, some of which may have failed."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Self

from services.oracle.pipeline import number, variables
from services.oracle.pipeline.attributes import Attributes
from services.oracle.pipeline.errors import TaskError
from services.oracle.pipeline.task import Context, Value


@dataclass(frozen=True, slots=True)
class _Sample:
    """Gather the values: those of `values`, else the inputs; as many as `allowedFaults` may be errors."""

    values: str | None
    allowed_faults: int | None
    lax: bool

    @classmethod
    def read(cls, attributes: Attributes) -> Self:
        allowed = attributes.integer("allowedFaults")
        return cls(attributes.text("values"), allowed, attributes.flag("lax"))

    def numbers(self, context: Context) -> Sequence[Decimal]:
        return [number.to_decimal(value) for value in self.gather(context)]

    def gather(self, context: Context) -> Sequence[Value]:
        found: object = context.inputs
        if self.values:
            found = variables.resolve(self.values, context.variables)
            if isinstance(found, str):
                found = variables.resolve_json(found, context.variables, keep_errors=True)
        if not isinstance(found, Sequence) or isinstance(found, str):
            raise TaskError("values must be a list")
        errors = [value for value in found if isinstance(value, TaskError)]
        allowed = self.allowed_faults if self.allowed_faults is not None else max(len(found) - 1, 0)
        if len(errors) > allowed:
            raise TaskError(f"number of faulty inputs {len(errors)} > number allowed faults {allowed}: {errors[0]}")
        good = [value for value in found if not isinstance(value, TaskError)]
        if self.lax:
            good = [value for value in good if value is not None]
        if not good:
            raise TaskError("no values to compute with")
        return good


@dataclass(frozen=True, slots=True)
class MedianTask:
    """Return the middle of the values."""

    sample: _Sample

    @classmethod
    def read(cls, attributes: Attributes) -> Self:
        """Take the attributes."""
        return cls(_Sample.read(attributes))

    async def run(self, context: Context) -> Value:
        """Return the median; of an even count the mean of the two middle values."""
        return number.median(self.sample.numbers(context))


@dataclass(frozen=True, slots=True)
class MeanTask:
    """Return the mean of the values."""

    sample: _Sample
    precision: int

    @classmethod
    def read(cls, attributes: Attributes) -> Self:
        """Take the attributes."""
        precision = attributes.integer("precision", number.DIVISION_PRECISION)
        return cls(_Sample.read(attributes), number.DIVISION_PRECISION if precision is None else precision)

    async def run(self, context: Context) -> Value:
        """Return the mean."""
        return number.mean(self.sample.numbers(context), self.precision)


@dataclass(frozen=True, slots=True)
class SumTask:
    """Return the sum of the values."""

    sample: _Sample

    @classmethod
    def read(cls, attributes: Attributes) -> Self:
        """Take the attributes."""
        return cls(_Sample.read(attributes))

    async def run(self, context: Context) -> Value:
        """Return the sum."""
        return number.total(self.sample.numbers(context))


@dataclass(frozen=True, slots=True)
class ModeTask:
    """Find the values that occur most often."""

    sample: _Sample

    @classmethod
    def read(cls, attributes: Attributes) -> Self:
        """Take the attributes."""
        return cls(_Sample.read(attributes))

    async def run(self, context: Context) -> Value:
        """Return `results`, in the order in which they got as frequent as that, and their number of `occurrences`."""
        counts: Counter[object] = Counter()
        most: list[Value] = []
        occurrences = 0
        for value in self.sample.gather(context):
            key = _comparable(value)
            counts[key] += 1
            if counts[key] > occurrences:
                most, occurrences = [value], counts[key]
            elif counts[key] == occurrences:
                most.append(value)
        return {"results": most, "occurrences": occurrences}


def _comparable(value: Value) -> object:
    # Numbers are equal by value, however they are written; everything else by its JSON.
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return number.to_decimal(value)
    return json.dumps(value, sort_keys=True, default=str)
