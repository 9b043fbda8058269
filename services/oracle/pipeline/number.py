"""Decimal arithmetic as the pipelines do it: exact, and rounded half away from zero where it cannot be."""

import decimal
import re
from collections.abc import Sequence
from decimal import Decimal

from services.oracle.pipeline.errors import TaskError, bad_input
from services.oracle.pipeline.values import Value, kind, told, unwrapped

DIVISION_PRECISION = 16
_TEXT = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:[eE][+-]?[0-9]+)?")
# Bounds for what a source may make us compute with; prices stay far below.
_LONGEST_TEXT = 200
_LARGEST_EXPONENT = 400
_EXACT = decimal.Context(prec=4 * (_LONGEST_TEXT + 2 * _LARGEST_EXPONENT), rounding=decimal.ROUND_HALF_UP)
for _signal in (decimal.Inexact, decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow):
    _EXACT.traps[_signal] = _signal is not decimal.Inexact


def to_decimal(value: Value) -> Decimal:
    """Return a number or a number's text, of ASCII digits, as an exact decimal; TaskError for anything else."""
    value = unwrapped(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise bad_input(f"type {kind(value)} cannot be converted to decimal.Decimal ({told(value)})")
    text = str(value)
    if len(text) > _LONGEST_TEXT:
        # Nothing that long is a price, and an error has no room for it.
        raise bad_input(f"can't convert {text[:_LONGEST_TEXT]}… to decimal")
    if not _TEXT.fullmatch(text):
        raise bad_input(f"can't convert {text} to decimal")
    number = Decimal(text)
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or abs(exponent) > _LARGEST_EXPONENT or abs(number.adjusted()) > _LARGEST_EXPONENT:
        raise bad_input(f"can't convert {text} to decimal: out of range")
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
    """
    Return the quotient with `precision` digits after the point, half away from zero; TaskError if by zero.

    A precision below zero rounds to tens, hundreds and so on.
    """
    if divisor == 0:
        raise TaskError("attempt to divide by zero")
    if abs(precision) > _LARGEST_EXPONENT:
        raise bad_input(f"precision: found {precision}, allowed: -{_LARGEST_EXPONENT} to {_LARGEST_EXPONENT}")
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
