"""Decimal arithmetic as the pipelines do it: exact, and rounded half away from zero where it cannot be."""

import decimal
import re
from collections.abc import Sequence
from decimal import Decimal

from services.oracle.pipeline.errors import TaskError

DIVISION_PRECISION = 16
_TEXT = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
# Bounds for what a source may make us compute with; prices stay far below.
_LONGEST_TEXT = 200
_LARGEST_EXPONENT = 200
_EXACT = decimal.Context(prec=4 * (_LONGEST_TEXT + 2 * _LARGEST_EXPONENT), rounding=decimal.ROUND_HALF_UP)
for _signal in (decimal.Inexact, decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow):
    _EXACT.traps[_signal] = _signal is not decimal.Inexact


def to_decimal(value: object) -> Decimal:
    """Return a number or a number's text as an exact decimal; TaskError for anything else."""
    if isinstance(value, bool) or value is None:
        raise TaskError(f"cannot convert {_name(value)} to decimal")
    if isinstance(value, int | float | Decimal):
        value = str(value)
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT or not _TEXT.fullmatch(value):
        raise TaskError(f"cannot convert {_name(value)} to decimal")
    number = Decimal(value)
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or abs(exponent) > _LARGEST_EXPONENT or abs(number.adjusted()) > _LONGEST_TEXT:
        raise TaskError(f"cannot convert {_name(value)} to decimal: out of range")
    return number


def multiply(left: Decimal, right: Decimal) -> Decimal:
    """Return the exact product."""
    return _EXACT.multiply(left, right)


def total(values: Sequence[Decimal]) -> Decimal:
    """Return the exact sum."""
    result = Decimal(0)
    for value in values:
        result = _EXACT.add(result, value)
    return result


def divide(dividend: Decimal, divisor: Decimal, precision: int = DIVISION_PRECISION) -> Decimal:
    """Return the quotient with `precision` digits after the point, half away from zero; TaskError if by zero."""
    if divisor == 0:
        raise TaskError("attempt to divide by zero")
    if not 0 <= precision <= _LARGEST_EXPONENT:
        raise TaskError(f"precision: found {precision}, allowed: 0 to {_LARGEST_EXPONENT}")
    # Integers keep the rounding exact: a quotient that was rounded once must not be rounded again.
    numerator, n_scale = _scaled(dividend)
    denominator, d_scale = _scaled(divisor)
    shift = precision + d_scale - n_scale
    numerator, denominator = (
        (numerator * 10**shift, denominator) if shift >= 0 else (numerator, denominator * 10**-shift)
    )
    quotient, rest = divmod(abs(numerator), abs(denominator))
    quotient += 2 * rest >= abs(denominator)
    signed = quotient if (numerator < 0) == (denominator < 0) else -quotient
    return Decimal(signed).scaleb(-precision, _EXACT)


def median(values: Sequence[Decimal]) -> Decimal:
    """Return the middle value, of an even count the mean of the two middle ones; `values` is not empty."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return divide(_EXACT.add(ordered[middle - 1], ordered[middle]), Decimal(2))


def mean(values: Sequence[Decimal], precision: int = DIVISION_PRECISION) -> Decimal:
    """Return the mean with `precision` digits after the point; `values` is not empty."""
    return divide(total(values), Decimal(len(values)), precision)


def truncate(value: Decimal) -> int:
    """Return the integer part, towards zero."""
    return int(value)


def _scaled(value: Decimal) -> tuple[int, int]:
    sign, digits, exponent = value.as_tuple()
    number = int("".join(map(str, digits)))
    if not isinstance(exponent, int):
        raise TaskError(f"cannot compute with {value}")
    return (-number if sign else number), -exponent


def _name(value: object) -> str:
    return "nil" if value is None else repr(value)[:60]
