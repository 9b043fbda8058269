"""Texts as Go's libraries print them, where operators of nodes know the errors by them."""

import re

from chainlink.units import parse_duration_ns
from meshkit.go_quoted import quoted

_NUMBER = re.compile(r"[0-9]*\.?[0-9]*")
_UNIT = re.compile(r"[^0-9.]*")
_UNITS = ("ns", "us", "\u00b5s", "\u03bcs", "ms", "s", "m", "h")
_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")


def duration_ns(text: str) -> int:
    """Return the nanoseconds of a duration; ValueError with the text of `time.ParseDuration`."""
    try:
        return parse_duration_ns(text)
    except ValueError as error:
        raise ValueError(_duration_fault(text)) from error


def boolean(text: str) -> bool:
    """Return a truth; ValueError with the text of `strconv.ParseBool`."""
    if text not in (*_TRUE, *_FALSE):
        raise ValueError(f"strconv.ParseBool: parsing {quoted(text)}: invalid syntax")
    return text in _TRUE


def integer(text: str, bits: int, function: str = "ParseInt") -> int:
    """Return a decimal number of that many bits; ValueError with the text of `strconv.ParseInt` or `Atoi`."""
    return _whole(text, function, r"[+-]?[0-9]+", -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def natural(text: str, bits: int) -> int:
    """Return a decimal number from 0 of that many bits; ValueError with the text of `strconv.ParseUint`."""
    return _whole(text, "ParseUint", r"[0-9]+", 0, 2**bits - 1)


def _whole(text: str, function: str, form: str, least: int, most: int) -> int:
    fault = f"strconv.{function}: parsing {quoted(text[:100])}: "
    if not re.fullmatch(form, text, re.ASCII):
        raise ValueError(fault + "invalid syntax")
    # So many digits are out of any range, and would take long to read.
    if len(text) > 4000 or not least <= int(text) <= most:
        raise ValueError(fault + "value out of range")
    return int(text)


def _duration_fault(text: str) -> str:
    invalid = f"time: invalid duration {quoted(text)}"
    rest = text[1:] if text[:1] in ("+", "-") else text
    while rest:
        number = _NUMBER.match(rest)
        if number is None or not number[0].strip("."):
            return invalid
        rest = rest[number.end() :]
        unit = str(_UNIT.match(rest)[0])  # type: ignore[index] # it matches anything
        if not unit:
            return invalid if rest else f"time: missing unit in duration {quoted(text)}"
        if unit not in _UNITS:
            return f"time: unknown unit {quoted(unit)} in duration {quoted(text)}"
        rest = rest[len(unit) :]
    return invalid
