"""
Read what a provider says by its declared shape, or refuse it: nothing is guessed, cut out of a text, or counted as 1.

The readers take a JSON object and a field's name, and raise Misshapen, which names the field, what was found and what
is allowed. A price stays as it was written; whether it is a plausible number is decided where prices are accepted.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from services.aggregator.exact_json import Unreadable

Record = Mapping[str, Any]

_ABSENT = Unreadable("nothing")
_LONGEST_SHOWN = 60
# The last second of the year 9999, after which times have no text.
_LATEST_MS = 253_402_300_799_999
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
# How an empty side of a book is told, beside its absence and a zero.
_NOTHING = frozenset({"", "-"})
_ZERO = re.compile(r"\s*[+-]?(0+\.?0*|\.0+)([eE][+-]?[0-9]+)?\s*")


class Misshapen(ValueError):
    """A field does not have its declared shape."""

    def __init__(self, field: str, found: object, allowed: str) -> None:
        super().__init__(field, found, allowed)
        self.field = field
        self.found = found
        self.allowed = allowed

    def __str__(self) -> str:
        return f"{self.field}: found {shown(self.found)}, allowed: {self.allowed}"


def shown(value: object) -> str:
    """Return what a value is, in a few words that can be logged whatever a provider sent."""
    match value:
        case Unreadable(reason):
            return reason
        case dict():
            return "an object"
        case list():
            return "a list"
        case _:
            return repr(value)[:_LONGEST_SHOWN]


def hashable(value: object) -> object:
    """Return a code that a provider sent, None in the place of what cannot be one of a set of codes."""
    return value if isinstance(value, str | int) and not isinstance(value, bool) else None


def record(value: object, field: str) -> Record:
    """Return a value that is an object."""
    if isinstance(value, dict):
        return value
    raise Misshapen(field, value, "an object")


def rows(value: object, field: str) -> Sequence[Any]:
    """Return a value that is a list; what is in it is not looked at."""
    if isinstance(value, list):
        return value
    raise Misshapen(field, value, "a list")


def text(row: Record, field: str) -> str:
    """Return a field that is a text and not empty."""
    value = row.get(field, _ABSENT)
    if isinstance(value, str) and value:
        return value
    raise Misshapen(field, value, "a text")


def flag(row: Record, field: str) -> bool:
    """Return a field that is true or false."""
    value = row.get(field, _ABSENT)
    if isinstance(value, bool):
        return value
    raise Misshapen(field, value, "true or false")


def number(value: object, field: str) -> str | int | Decimal:
    """Return a value that is a text or an exact number, as it was written."""
    if isinstance(value, str | int | Decimal) and not isinstance(value, bool):
        return value
    raise Misshapen(field, value, "a decimal number")


def price(row: Record, field: str) -> str | int | Decimal:
    """Return a field that is a text or an exact number, as it was written."""
    return number(row.get(field, _ABSENT), field)


def side_of(value: object, field: str) -> str | int | Decimal | None:
    """Return the best offer of a side of a book; None if the side is empty: null, a zero, an empty text or a dash."""
    if value is None:
        return None
    found = number(value, field)
    if isinstance(found, str):
        return None if found.strip() in _NOTHING or _ZERO.fullmatch(found) else found
    return found or None


def side(row: Record, field: str) -> str | int | Decimal | None:
    """Return the best offer that a field holds; None if the field is absent or says that the side is empty."""
    return side_of(row.get(field), field)


def time_ms(row: Record, field: str) -> int:
    """Return a field that is a Unix time in ms, a number or a text of digits; what is below a ms is cut off."""
    return _time(row.get(field, _ABSENT), field, 1)


def time_s(row: Record, field: str) -> int:
    """Return in ms a field that is a Unix time in seconds, a number or a text of digits."""
    return _time(row.get(field, _ABSENT), field, 1000)


def _time(value: object, field: str, factor: int) -> int:
    if isinstance(value, str) and len(value) <= 32 and value.isascii() and value.replace(".", "", 1).isdigit():
        value = Decimal(value)
    if type(value) is int and 0 <= value * factor <= _LATEST_MS:
        return value * factor
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        number = Decimal(value)
        # Compared before it is multiplied, which a number of a great exponent would not bear.
        if number.is_finite() and 0 <= number <= _LATEST_MS // factor:
            return int(number * factor)
    raise Misshapen(field, value, f"a Unix time in {'ms' if factor == 1 else 's'}")


def moment_ms(row: Record, field: str) -> int:
    """Return in Unix ms a field that is an RFC 3339 time with its zone."""
    return milliseconds(text(row, field), field)


def milliseconds(value: str, field: str = "time") -> int:
    """Return in Unix ms an RFC 3339 time with its zone."""
    try:
        found = (datetime.fromisoformat(value) - _EPOCH) // _MILLISECOND
    except (ValueError, TypeError, OverflowError):
        found = -1
    if found < 0:
        raise Misshapen(field, value, "a time such as 2026-07-08T05:24:41.204Z, with its zone")
    return found


def expect(row: Record, field: str, wanted: object) -> None:
    """Refuse an object whose field does not say just this: it is about something else than what was asked for."""
    found = row.get(field, _ABSENT)
    if found != wanted or isinstance(found, bool) is not isinstance(wanted, bool):
        raise Misshapen(field, found, repr(wanted))


def expect_if_told(row: Record, **wanted: object) -> None:
    """Refuse an object with one of these fields that says something else; one that it does not have is no matter."""
    for field, value in wanted.items():
        if field in row:
            expect(row, field, value)


def by_name(found: Sequence[Any], field: str) -> Mapping[str, Any]:
    """
    Return the objects of a list by the text in a field, and an Unreadable for a text that several different ones have.

    What has no such text is left out, so that it spoils nothing but itself.
    """
    named: dict[str, Any] = {}
    for row in found:
        name = row.get(field) if isinstance(row, dict) else None
        if isinstance(name, str) and named.setdefault(name, row) != row:
            named[name] = Unreadable(f"several rows of {shown(name)} with different values")
    return named
