"""
JSON of providers, with exact numbers, and with what cannot be one value marked as unreadable.

A body is refused as a whole only if it is no JSON. A key that is there twice with different values, and a number that
no decimal can hold, spoil only their own place: an `Unreadable` stands there, which no reader takes for a value.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

import orjson

# More digits than any figure has; Python itself refuses to read an integer of some thousands.
_LONGEST_NUMBER = 400
# Those of binary floats, so that a number is read alike whatever stands beside it.
_LARGEST_EXPONENT = 308


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Stand where a value should be; `reason` says why there is none."""

    reason: str


CONTRADICTORY = Unreadable("a key that is there twice with different values")
OUT_OF_RANGE = Unreadable("a number out of all range")


def _object(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        first: dict[str, object] = {}
        for key, value in pairs:
            if first.setdefault(key, value) != value:
                found[key] = CONTRADICTORY
    return found


def _number(text: str) -> object:
    if len(text) > _LONGEST_NUMBER:
        return OUT_OF_RANGE
    try:
        number = Decimal(text)
    except InvalidOperation:
        return OUT_OF_RANGE
    return number if abs(number.adjusted()) <= _LARGEST_EXPONENT else OUT_OF_RANGE


def _integer(text: str) -> object:
    return int(text) if len(text) <= _LONGEST_NUMBER else OUT_OF_RANGE


def _constant(text: str) -> object:
    raise ValueError(f"{text} is no JSON")


_DECODER = json.JSONDecoder(parse_float=Decimal, object_pairs_hook=_object)
_PATIENT_DECODER = json.JSONDecoder(
    parse_float=_number, parse_int=_integer, parse_constant=_constant, object_pairs_hook=_object
)


def loads(text: str | bytes) -> object:
    """
    Return the value of a JSON text from a provider, numbers with a fraction as Decimal; raise ValueError for any other.

    Binary floats would change digits. orjson reads the text first: it bounds the nesting, whatever the interpreter's
    recursion limit is, and refuses NaN and what else the json module lets pass. It also refuses numbers beyond the
    range of binary floats; such a text is read again, value by value.
    """
    try:
        orjson.loads(text)
        return _DECODER.decode(text if isinstance(text, str) else text.decode())
    except (ValueError, ArithmeticError, RecursionError):
        return _patiently(text if isinstance(text, str) else text.decode())


def _patiently(text: str) -> object:
    try:
        value: object = _PATIENT_DECODER.decode(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    waiting = [value]
    while waiting:
        match waiting.pop():
            case dict(fields):
                waiting += fields.keys()
                waiting += fields.values()
            case list(items):
                waiting += items
            case str(words):
                words.encode()  # half of a surrogate pair is no text, and could not be logged
    return value
