"""The arithmetic of pipelines."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.oracle.pipeline import number
from services.oracle.pipeline.errors import TaskError
from services.oracle.pipeline.values import Double, Memo

decimals: st.SearchStrategy[Decimal] = st.decimals(
    min_value=-(10**40), max_value=10**40, allow_nan=False, allow_infinity=False
).filter(
    lambda value: abs(value.as_tuple().exponent) < 60  # type: ignore[arg-type]
)


@settings(max_examples=60, deadline=None)
@given(decimals, decimals)
def test_products_and_sums_are_exact(left: Decimal, right: Decimal) -> None:
    """No digit of a product or a sum is lost, however many there are."""
    assert Fraction(left) * Fraction(right) == Fraction(number.multiply(left, right))
    assert Fraction(left) + Fraction(right) == Fraction(number.total([left, right]))


@settings(max_examples=60, deadline=None)
@given(decimals, decimals.filter(lambda value: value != 0), st.integers(-10, 30))
def test_quotients_are_nearest(dividend: Decimal, divisor: Decimal, precision: int) -> None:
    """A quotient is within half a unit of its last digit of the true one, and half rounds away from zero."""
    exact = Fraction(dividend) / Fraction(divisor)
    quotient = Fraction(number.divide(dividend, divisor, precision))
    half = Fraction(10) ** -precision / 2

    assert abs(quotient - exact) <= half
    if abs(quotient - exact) == half:
        assert abs(quotient) > abs(exact)


@settings(max_examples=60, deadline=None)
@given(st.lists(decimals, min_size=1, max_size=9))
def test_median_lies_within(values: list[Decimal]) -> None:
    """At least half of the values are on either side of the median, whatever their order."""
    median = Fraction(number.median(values))
    slack = Fraction(1, 10**16)

    assert 2 * sum(Fraction(value) <= median + slack for value in values) >= len(values)
    assert 2 * sum(Fraction(value) >= median - slack for value in values) >= len(values)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("65123.45", "65123.45"),
        ("-0.5", "-0.5"),
        ("1e3", "1E+3"),
        ("+7", "7"),
        (".5", "0.5"),
        (12, "12"),
        (Double.of("1.50"), "1.5"),
        (Memo(2), "2"),
        ("5.", "5"),
    ],
)
def test_numbers_that_are_read(text: object, expected: str) -> None:
    """Numbers and their texts are read digit for digit."""
    assert Decimal(expected) == number.to_decimal(text)


@pytest.mark.parametrize(
    "text", [None, True, "", " 1", "1_000", "NaN", "Infinity", "0x10", "1e999999", {}, [], "1,5", "٣", "1e٣", "9" * 201]
)
def test_numbers_that_are_refused(text: object) -> None:
    """What is no finite decimal number is refused, and so is one that would take the memory to compute with."""
    with pytest.raises(TaskError, match=r"can't convert|cannot be converted"):
        number.to_decimal(text)


def test_division_by_zero() -> None:
    """Dividing by zero is the task's error."""
    with pytest.raises(TaskError, match="divide by zero"):
        number.divide(Decimal(1), Decimal(0))


@pytest.mark.parametrize(("value", "expected"), [("65.9", 65), ("-65.9", -65), ("0.99", 0)])
def test_truncation(value: str, expected: int) -> None:
    """The final value loses its fraction, towards zero."""
    assert expected == number.truncate(Decimal(value))
