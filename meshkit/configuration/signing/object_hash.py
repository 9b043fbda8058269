"""
The digest of a JSON value as the npm package object-hash makes it, with `unorderedArrays: true` and SHA-256.

It is what signatures of configurations are made over, so it is written down byte by byte: JavaScript's forms of numbers
and order of texts, and the marks that the package puts on every object for its prototype.

    object   object:<keys + 3>:<key>:<value>,…   the keys sorted, after `prototype`, `__proto__` and `constructor`
    array    array:<length>:<entries>            the entries as texts of what they would be hashed as, sorted
    text     string:<length in UTF-16 units>:<text>
    number   number:<as JavaScript writes it>
    others   bool:true  bool:false  Null

An object that was seen before becomes `[CIRCULAR:n]`, n being when; in JSON these are only the two that JavaScript
adds, the prototype of all objects and its constructor.
"""

import hashlib
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

EXACT_BELOW: Final = 2**53
"""JavaScript tells whole numbers apart below this one."""

_SPECIAL: Final = ("prototype", "__proto__", "constructor")
_PROTOTYPE: Final = object()
_CONSTRUCTOR: Final = object()
_UNDEFINED: Final = object()
# JavaScript writes a number without an exponent while it has at most so many digits before the point.
_LONGEST_WHOLE: Final = 21
_SMALLEST_PLAIN: Final = -6


class Unsignable(ValueError):
    """A value has no digest of its own: `path` says where it is, `found` and `allowed` what it is and could be."""

    def __init__(self, path: str, found: str, allowed: str) -> None:
        super().__init__(f"{path}: found {found}, allowed: {allowed}")
        self.path = path
        self.found = found
        self.allowed = allowed


def object_hash(value: Any) -> str:
    """
    Return the digest in hexadecimal digits.

    Raises:
        Unsignable: for a number that JavaScript cannot tell from its neighbours, so that a signature would hold for
            either, and for text that is not Unicode.
    """
    check(value, "")
    digest = hashlib.sha256()
    _Writer(lambda text: digest.update(text.encode()), []).dispatch(value)
    return digest.hexdigest()


def check(value: Any, path: str) -> None:
    """Raise Unsignable for the first value that has no digest of its own."""
    if isinstance(value, dict):
        for key, below in value.items():
            check(key, path)
            check(below, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            check(below, f"{path}.{index}".lstrip("."))
    elif isinstance(value, int) and not isinstance(value, bool):
        if abs(value) >= EXACT_BELOW and (len(str(abs(value))) > 300 or int(float(value)) != value):
            raise Unsignable(path, str(value), f"a whole number below {EXACT_BELOW}, or one that a double holds")
    elif isinstance(value, float) and not math.isfinite(value):
        raise Unsignable(path, str(value), "a finite number")
    elif isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
        raise Unsignable(path, "half a surrogate pair", "Unicode text")


def number_text(value: float) -> str:
    """Return a finite number as JavaScript writes it: 1, 1.5, 1e-7, 1e+21."""
    number = float(value)
    if number == 0:
        return "0"
    sign, digits, exponent = Decimal(repr(number)).as_tuple()
    text = "".join(map(str, digits))
    point = len(text) + int(exponent)  # how many digits stand before the point
    text = text.rstrip("0") or "0"
    count = len(text)
    minus = "-" if sign else ""
    if count <= point <= _LONGEST_WHOLE:
        return f"{minus}{text}{'0' * (point - count)}"
    if 0 < point <= _LONGEST_WHOLE:
        return f"{minus}{text[:point]}.{text[point:]}"
    if _SMALLEST_PLAIN < point <= 0:
        return f"{minus}0.{'0' * -point}{text}"
    power = point - 1
    mantissa = text if count == 1 else f"{text[0]}.{text[1:]}"
    return f"{minus}{mantissa}e{'-' if power < 0 else '+'}{abs(power)}"


class _Writer:
    """Write one value; `seen` are the objects so far, and grows."""

    def __init__(self, write: Callable[[str], None], seen: list[object]) -> None:
        self._write = write
        self._seen = seen

    def dispatch(self, value: Any) -> None:
        if value is None:
            self._write("Null")
        elif value is _UNDEFINED:
            self._write("Undefined")
        elif isinstance(value, bool):
            self._write("bool:true" if value else "bool:false")
        elif isinstance(value, int | float):
            self._write(f"number:{number_text(value)}")
        elif isinstance(value, str):
            self._write(f"string:{len(value.encode('utf-16-le')) // 2}:{value}")
        elif value is _CONSTRUCTOR:
            self._write("fn:")
            self.dispatch("[native]")
            self.dispatch("function-name:Object")
            self._object(value)
        else:
            self._object(value)

    def _object(self, value: Any) -> None:
        place = next((index for index, other in enumerate(self._seen) if other is value), None)
        if place is not None:
            self.dispatch(f"[CIRCULAR:{place}]")
            return
        self._seen.append(value)
        if isinstance(value, list):
            self._array(value)
        elif value is _CONSTRUCTOR:
            self._write("object:0:")
        elif value is _PROTOTYPE:
            self._members([], {"prototype": _UNDEFINED, "__proto__": None, "constructor": _CONSTRUCTOR}.__getitem__)
        else:
            inherited = {"prototype": _UNDEFINED, "__proto__": _PROTOTYPE, "constructor": _CONSTRUCTOR}
            self._members(sorted(value, key=_utf16), lambda key: value[key] if key in value else inherited[key])

    def _members(self, keys: list[str], get: Callable[[str], Any]) -> None:
        self._write(f"object:{len(keys) + len(_SPECIAL)}:")
        for key in (*_SPECIAL, *keys):
            self.dispatch(key)
            self._write(":")
            self.dispatch(get(key))
            self._write(",")

    def _array(self, values: list[Any]) -> None:
        self._write(f"array:{len(values)}:")
        if len(values) <= 1:
            for value in values:
                self.dispatch(value)
            return
        before = list(self._seen)
        texts: list[str] = []
        added: list[object] = []
        for value in values:
            parts: list[str] = []
            # Each entry is written as if it came first, so that the order does not matter.
            seen = list(before)
            _Writer(parts.append, seen).dispatch(value)
            added += seen[len(before) :]
            texts.append("".join(parts))
        # A list of its own: who made this writer goes on without what was seen within the array.
        self._seen = [*before, *added]
        self._write(f"array:{len(texts)}:")
        for text in sorted(texts, key=_utf16):
            self.dispatch(text)


def _utf16(text: str) -> bytes:
    """Return what JavaScript's order of texts is by."""
    return text.encode("utf-16-be")
