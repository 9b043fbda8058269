"""The tasks multiply and divide."""

from dataclasses import dataclass
from typing import Self

from services.oracle.pipeline import number, variables
from services.oracle.pipeline.attributes import Attributes
from services.oracle.pipeline.errors import TaskError
from services.oracle.pipeline.task import Context, Value


def _operand(text: str | None, context: Context) -> Value:
    return variables.resolve(text, context.variables) if text else context.one_input()


def _precision(text: str | None, context: Context) -> int:
    if not text:
        return number.DIVISION_PRECISION
    precision = number.to_decimal(variables.resolve(text, context.variables))
    if precision != int(precision):
        raise TaskError(f"precision: found {precision}, allowed: a whole number")
    return int(precision)


@dataclass(frozen=True, slots=True)
class MultiplyTask:
    """Multiply exactly."""

    input: str | None
    times: str

    @classmethod
    def read(cls, attributes: Attributes) -> Self:
        """Take the attributes."""
        return cls(attributes.text("input"), attributes.required("times"))

    async def run(self, context: Context) -> Value:
        """Return the product."""
        value = number.to_decimal(_operand(self.input, context))
        return number.multiply(value, number.to_decimal(variables.resolve(self.times, context.variables)))


@dataclass(frozen=True, slots=True)
class DivideTask:
    """Divide, rounding to `precision` digits after the point (16 if it is not given)."""

    input: str | None
    divisor: str
    precision: str | None

    @classmethod
    def read(cls, attributes: Attributes) -> Self:
        """Take the attributes."""
        return cls(attributes.text("input"), attributes.required("divisor"), attributes.text("precision"))

    async def run(self, context: Context) -> Value:
        """Return the quotient."""
        value = number.to_decimal(_operand(self.input, context))
        divisor = number.to_decimal(variables.resolve(self.divisor, context.variables))
        return number.divide(value, divisor, _precision(self.precision, context))
