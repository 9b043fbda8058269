"""The tasks multiply, divide and lessthan."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Self

from services.oracle.pipeline import number
from services.oracle.pipeline.attributes import Attributes
from services.oracle.pipeline.parameters import constant, first_input, resolve, text, to_integer, variable
from services.oracle.pipeline.task import Context
from services.oracle.pipeline.values import Value


def _given(name: str, attribute: str, context: Context) -> Decimal:
    return resolve(name, number.to_decimal, variable(attribute, context.variables), text(attribute))


@dataclass(frozen=True, slots=True)
class MultiplyTask:
    """Multiply exactly."""

    input: str
    times: str

    @classmethod
    def read(cls, attributes: Attributes) -> Self:
        """Take the attributes."""
        return cls(attributes.text("input"), attributes.text("times"))

    async def run(self, context: Context) -> Value:
        """Return the product."""
        context.checked()
        variables, inputs = context.variables, context.inputs
        value = resolve(
            "input", number.to_decimal, variable(self.input, variables), text(self.input), first_input(inputs)
        )
        return number.multiply(value, _given("times", self.times, context))


@dataclass(frozen=True, slots=True)
class DivideTask:
    """Divide, rounding to `precision` digits after the point (16 if it is not given)."""

    input: str
    divisor: str
    precision: str

    @classmethod
    def read(cls, attributes: Attributes) -> Self:
        """Take the attributes."""
        return cls(attributes.text("input"), attributes.text("divisor"), attributes.text("precision"))

    async def run(self, context: Context) -> Value:
        """Return the quotient."""
        context.checked()
        variables, inputs = context.variables, context.inputs
        value = resolve(
            "input", number.to_decimal, variable(self.input, variables), text(self.input), first_input(inputs)
        )
        divisor = _given("divisor", self.divisor, context)
        digits = resolve("precision", to_integer, variable(self.precision, variables), constant(self.precision))
        return number.divide(value, divisor, number.DIVISION_PRECISION if digits is None else digits)


@dataclass(frozen=True, slots=True)
class LessThanTask:
    """Compare two numbers."""

    left: str
    right: str

    @classmethod
    def read(cls, attributes: Attributes) -> Self:
        """Take the attributes."""
        return cls(attributes.text("left"), attributes.text("right"))

    async def run(self, context: Context) -> Value:
        """Tell whether the left one is less than the right one."""
        context.checked()
        variables, inputs = context.variables, context.inputs
        left = resolve("left", number.to_decimal, variable(self.left, variables), text(self.left), first_input(inputs))
        return left < _given("right", self.right, context)
