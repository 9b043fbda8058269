"""The tasks median, mean, sum and mode: several inputs, some of which may have failed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Self

from services.oracle.pipeline import number
from services.oracle.pipeline.attributes import Attributes
from services.oracle.pipeline.errors import TaskError, bad_input
from services.oracle.pipeline.parameters import (
    constant,
    json_text,
    resolve,
    text,
    to_bool,
    to_integer,
    to_list,
    to_natural,
    variable,
)
from services.oracle.pipeline.task import Context
from services.oracle.pipeline.values import Memo, Value, dump, told


@dataclass(frozen=True, slots=True)
class _Sample:
    """Gather the values: those of `values`, else the inputs; as many as `allowedFaults` may be errors."""

    values: str
    allowed_faults: str

    @classmethod
    def read(cls, attributes: Attributes) -> Self:
        return cls(attributes.text("values"), attributes.text("allowedFaults"))

    def gather(self, context: Context, task: str) -> Sequence[Value]:
        allowed = resolve("allowedFaults", to_natural, constant(self.allowed_faults))
        found = resolve(
            "values",
            to_list,
            variable(self.values, context.variables),
            json_text(self.values, context.variables, keep_errors=True),
            constant(list(context.inputs)),
        )
        faults = sum(isinstance(value, TaskError) for value in found)
        if allowed is None:
            allowed = len(found) - 1
        if faults > allowed:
            counts = f"Number of faulty inputs {faults} to {task} task > number allowed faults {allowed}"
            raise TaskError(f"{counts}: too many errors")
        return [value for value in found if not isinstance(value, TaskError)]


def _numbers(values: Sequence[Value]) -> Sequence[Decimal]:
    if not values:
        raise TaskError("values: wrong number of task inputs")
    try:
        return [number.to_decimal(value) for value in values]
    except TaskError as error:
        raise bad_input(f"values: {error}") from error


@dataclass(frozen=True, slots=True)
class MedianTask:
    """Return the middle of the values; with `lax` those that are nothing do not count."""

    sample: _Sample
    lax: str

    @classmethod
    def read(cls, attributes: Attributes) -> Self:
        """Take the attributes."""
        return cls(_Sample.read(attributes), attributes.text("lax"))

    async def run(self, context: Context) -> Value:
        """Return the median; of an even count the mean of the two middle values; None if `lax` leaves none."""
        values = self.sample.gather(context, "median")
        lax = resolve("lax", to_bool, text(self.lax), constant(False))
        if lax:
            values = [value for value in values if value is not None]
        if not values:
            if lax:
                return None
            raise TaskError("no values to medianize: wrong number of task inputs")
        return number.median([number.to_decimal(value) for value in values])


@dataclass(frozen=True, slots=True)
class MeanTask:
    """Return the mean of the values."""

    sample: _Sample
    precision: str

    @classmethod
    def read(cls, attributes: Attributes) -> Self:
        """Take the attributes."""
        return cls(_Sample.read(attributes), attributes.text("precision"))

    async def run(self, context: Context) -> Value:
        """Return the mean."""
        sources = (variable(self.precision, context.variables), constant(self.precision))
        digits = resolve("precision", to_integer, *sources)
        values = _numbers(self.sample.gather(context, "mean"))
        return number.mean(values, number.DIVISION_PRECISION if digits is None else digits)


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
        return number.total(_numbers(self.sample.gather(context, "sum")))


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
        values = self.sample.gather(context, "mode")
        if not values:
            raise TaskError("values: wrong number of task inputs")
        counts: Counter[str] = Counter()
        most: list[Value] = []
        occurrences = 0
        for value in values:
            key = dump(value).decode() if value is None or isinstance(value, Memo | list | dict) else told(value)
            counts[key] += 1
            if counts[key] > occurrences:
                most, occurrences = [value], counts[key]
            elif counts[key] == occurrences:
                most.append(value)
        return {"results": most, "occurrences": occurrences}
