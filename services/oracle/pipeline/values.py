"""
The values that go from task to task, and their JSON in the forms of a Chainlink node.

A value is None, bool, int, Decimal, str, bytes, a list or a dict of these. A node holds JSON numbers with a fraction
or an exponent as IEEE doubles, and what it has computed as exact decimals, which it writes as texts: `Double` tells
the one from the other.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any, Self

from services.oracle.pipeline.errors import TaskError
from services.oracle.pipeline.json_faults import check, fault

Value = Any

_MOST_DIGITS = 4_000
_GOES_ON = (".", "e", "E")
# The decoder goes down into a value in C, so a deep one must never reach it: a library that raises Python's limit of
# recursion would have it end the process. No adapter's answer is a hundredth as deep.
_DEEPEST = 900
_BRACKET_OR_TEXT = re.compile(r'[\[\]{}]|"(?:[^"\\]|\\.)*+"?', re.DOTALL)
# What Go escapes in every JSON, so that it may stand in HTML.
_ESCAPED = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}
_TO_ESCAPE = re.compile("[<>&\u2028\u2029]")
_SMALLEST_PLAIN, _LARGEST_PLAIN = Decimal("1e-6"), Decimal("1e21")


class Double(Decimal):
    """A JSON number, rounded to the nearest IEEE double and written with the fewest digits that tell it."""

    @classmethod
    def of(cls, text: str) -> Self:
        """Return the double of a JSON number; TaskError if there is none so large."""
        number = float(text)
        if math.isinf(number):
            reason = f'strconv.ParseFloat: parsing "{text}": value out of range'
            raise TaskError(f"bad input for task; failed to parse json.Value: {reason}")
        # Go has no zero with a sign once it is a decimal.
        return cls(repr(number) if number else "0")


@dataclass(frozen=True, slots=True)
class Memo:
    """Hold what a memo task says: it can be computed with, but not be looked into."""

    value: Value


def unwrapped(value: Value) -> Value:
    """Return what a memo says, any other value as it is."""
    return value.value if isinstance(value, Memo) else value


def parse_json(text: str) -> Value:
    """Return the first JSON value of a text, what follows it does not matter; TaskError in the node's words if none."""
    stripped = text.lstrip(" \t\r\n")
    if _is_deep(stripped):
        raise TaskError("exceeded max depth")
    try:
        value, end = _DECODER.raw_decode(stripped)
        # A number at the top may have been cut off: then there is more of one than was read.
        if stripped[end : end + 1] in _GOES_ON and isinstance(value, int | Decimal):
            check(stripped)
        return _well_formed(value) if "\\u" in text else value
    except (ValueError, RecursionError) as error:
        raise TaskError(fault(text)) from error


def _is_deep(text: str) -> bool:
    """Tell whether brackets outside of texts are nested more than _DEEPEST times; linear in the text."""
    if text.count("[") + text.count("{") <= _DEEPEST:
        return False
    depth = 0
    for found in _BRACKET_OR_TEXT.finditer(text):
        bracket = found[0]
        if bracket in ("[", "{"):
            depth += 1
            if depth > _DEEPEST:
                return True
        elif bracket in ("]", "}"):
            depth -= 1
    return False


def plain(number: Decimal) -> str:
    """Return a number with all its digits, without an exponent and without zeros at the end: `1.50` is `1.5`."""
    if not number:
        return "0"
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def dump(value: Value) -> bytes:
    """Return compact JSON with sorted keys as Go writes it; bytes are hex digits, exact decimals are texts."""
    try:
        return _json(value).encode("utf-8", "replace")
    except RecursionError as error:
        raise TaskError("exceeded max depth") from error


def output(value: Value) -> str | None:
    """Return a run's result as text; None for nothing, and for a list or a truth, of which the node shows nothing."""
    value = unwrapped(value)
    if value is None or isinstance(value, bool | list):
        return None
    if isinstance(value, Mapping):
        return dump(value).decode()
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    return plain(value) if isinstance(value, Decimal) else str(value)


def kind(value: Value) -> str:
    """Return the name that Go has for the type of a value."""
    match value:
        case None:
            return "<nil>"
        case bool():
            return "bool"
        case int():
            return "int64" if -(2**63) <= value < 2**63 else "uint64" if 0 <= value < 2**64 else "*big.Int"
        case Double():
            return "float64"
        case Decimal():
            return "decimal.Decimal"
        case str():
            return "string"
        case bytes():
            return "[]uint8"
        case Memo():
            return "pipeline.ObjectParam"
    return "[]interface {}" if isinstance(value, list) else "map[string]interface {}"


def told(value: Value) -> str:
    """Return a value as Go prints it."""
    match value:
        case None:
            return "<nil>"
        case bool():
            return "true" if value else "false"
        case Decimal():
            return plain(value)
        case Memo():
            return dump(value).decode()
        case bytes():
            return f"[{' '.join(map(str, value))}]"
        case list():
            return f"[{' '.join(map(told, value))}]"
        case dict():
            return f"map[{' '.join(f'{key}:{told(item)}' for key, item in sorted(value.items()))}]"
    return str(value)


def _double_text(number: Decimal) -> str:
    if not number or _SMALLEST_PLAIN <= abs(number) < _LARGEST_PLAIN:
        return plain(number)
    mantissa, _, exponent = format(float(number), "e").partition("e")
    digits = "".join(map(str, number.normalize().as_tuple().digits))
    mantissa = f"{'-' if number < 0 else ''}{digits[0]}{'.' + digits[1:] if len(digits) > 1 else ''}"
    sign = "-" if exponent.startswith("-") else "+"
    power = exponent.lstrip("+-").lstrip("0")
    return f"{mantissa}e{sign}{power if sign == '-' else power.rjust(2, '0')}"


def _json(value: Value) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case Double():
            return _double_text(value)
        case Decimal():
            return f'"{plain(value)}"'
        case int():
            return str(value)
        case str():
            return _text(value)
        case bytes():
            return f'"0x{value.hex()}"'
        case Memo(held):
            # As a memo even a JSON number is an exact decimal.
            is_number = isinstance(held, int | Decimal) and not isinstance(held, bool)
            return f'"{plain(Decimal(held))}"' if is_number else _json(held)
        case list():
            return f"[{','.join(map(_json, value))}]"
    return f"{{{','.join(f'{_text(key)}:{_json(item)}' for key, item in sorted(value.items()))}}}"


def _text(value: str) -> str:
    quoted = encode_basestring(value)
    return quoted.translate(_ESCAPED) if _TO_ESCAPE.search(quoted) else quoted


def _integer(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise TaskError(f"bad input for task; failed to parse json.Value: a number of {len(text)} digits")
    return int(text)


def _constant(name: str) -> Value:
    raise ValueError(f"{name} is no JSON")


def _well_formed(value: Value) -> Value:
    """Replace halves of surrogate pairs, which no text may have."""
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case list():
            return [_well_formed(item) for item in value]
        case dict():
            return {_well_formed(key): _well_formed(item) for key, item in value.items()}
    return value


_DECODER = json.JSONDecoder(parse_float=Double.of, parse_int=_integer, parse_constant=_constant)
