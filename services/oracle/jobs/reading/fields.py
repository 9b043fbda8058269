"""The fields of a job's text, taken as the node's reader converts them, with its words for those that do not fit."""

import uuid
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from chainlink import toml_reader
from chainlink.errors import SpecMalformed
from meshkit.ethereum.address import is_checksummed
from meshkit.go_quoted import quoted
from services.oracle import go_texts
from services.oracle.jobs.reading import toml_faults

_Value = TypeVar("_Value")
_SHA256_BYTES = 32
_UUID_LENGTHS = {32, 36, 38, 45}
_URN = "urn:uuid:"
# Of a number of 256 bits.
_MOST_DIGITS = 78


class FieldFault(Exception):
    """A field's value cannot be taken: `(line, column): why`."""


class Fields:
    """Take the fields of the table of a text; a name is found as it is, in lower case or in upper case."""

    def __init__(self, text: str, table: Mapping[str, Any]) -> None:
        self._text = text
        self.table = table

    @classmethod
    def read(cls, text: str) -> "Fields":
        """Read a text; FieldFault if it is no TOML, or more than a job can be."""
        try:
            return cls(text, toml_reader.read(text))
        except SpecMalformed as error:
            if error.__cause__ is not None:
                raise FieldFault(toml_faults.syntax_fault(text, str(error.__cause__))) from error
            if toml_reader.OPEN_STRING in str(error.found):
                raise FieldFault(toml_faults.open_string(text)) from error
            raise FieldFault(f"{error.field}: found {error.found}, allowed: {error.allowed}") from error

    def word(self, name: str, kind: str) -> str | None:
        """Take a string and nothing else; `kind` is what the node calls its type."""
        return self._take(name, lambda value: _of_type(value, str, kind))

    def flag(self, name: str) -> bool:
        """Take true or false; false if it is missing."""
        return bool(self._take(name, lambda value: _of_type(value, bool, "bool")))

    def natural(self, name: str, bits: int) -> int | None:
        """Take a whole number from 0 of that many bits."""
        return self._take(name, lambda value: _natural(value, bits))

    def words(self, name: str) -> tuple[str, ...]:
        """Take a list of strings; empty if it is missing."""
        return self._take(name, _words) or ()

    def text(self, name: str) -> str | None:
        """Take any single value as the text that it is written as."""
        return self._take(name, _printed)

    def parsed(self, name: str, parse: Callable[[str], _Value]) -> _Value | None:
        """Take a value that is read from its text; `parse` raises ValueError with the node's words."""

        def convert(value: object) -> _Value:
            text = _printed(value)
            try:
                return parse(text)
            except ValueError as error:
                raise ValueError(f"unmarshal text: {error}") from error

        return self._take(name, convert)

    def duration_ns(self, name: str) -> int | None:
        """Take a duration in nanoseconds."""
        return self.parsed(name, go_texts.duration_ns)

    def _take(self, name: str, convert: Callable[[Any], _Value]) -> _Value | None:
        found = next((key for key in (name, name.lower(), name.upper()) if key in self.table), None)
        if found is None:
            return None
        try:
            return convert(self.table[found])
        except ValueError as error:
            raise FieldFault(f"{toml_faults.position(self._text, found)}: {error}") from error


def external_job_id(text: str) -> uuid.UUID:
    """Read a UUID in any of its spellings; ValueError in the node's words."""
    size = len(text.encode())
    if size not in _UUID_LENGTHS:
        raise ValueError(f"invalid UUID length: {size}")
    if size == 45 and not text.lower().startswith(_URN):
        raise ValueError(f"invalid urn prefix: {quoted(text[: len(_URN)])}")
    bare = text[len(_URN) :] if size == 45 else text[1:-1] if size == 38 else text
    dashes = (8, 13, 18, 23) if len(bare) == 36 else ()
    digits = "".join(letter for at, letter in enumerate(bare) if at not in dashes)
    if any(bare[at] != "-" for at in dashes) or len(digits) != 32 or not _is_hex(digits):
        raise ValueError("invalid UUID format")
    return uuid.UUID(digits)


def address(text: str) -> str:
    """Read an address with its checksum; ValueError in the node's words."""
    if not is_checksummed(text):
        raise ValueError(f"{quoted(text[:100])} is not a valid EIP55 formatted address")
    return text


def key_bundle_id(text: str) -> str:
    """Read the hex digits of 32 bytes, of which missing ones are zeros and further ones are left out, as nodes do."""
    wrong = next((letter for letter in text if not _is_hex(letter)), None)
    if wrong is not None:
        raise ValueError(f"encoding/hex: invalid byte: U+{ord(wrong):04X} '{wrong}'")
    if len(text) % 2:
        raise ValueError("encoding/hex: odd length hex string")
    return bytes.fromhex(text)[:_SHA256_BYTES].ljust(_SHA256_BYTES, b"\0").hex()


def chain_id(text: str) -> int:
    """Read a number, also one of hex digits behind 0x; ValueError in the node's words."""
    bare = text[1:] if text[:1] in ("+", "-") else text
    if bare.isascii() and bare.isdigit() and len(bare) <= _MOST_DIGITS:
        return int(text)
    if bare.startswith(("0x", "0X")) and _is_hex(bare[2:]) and 2 < len(bare) <= _MOST_DIGITS:
        return int(text, 16)
    raise ValueError(f"unable to convert {text[:100]} to Big")


def _of_type(value: object, wanted: type[_Value], kind: str) -> _Value:
    if not isinstance(value, wanted):
        raise ValueError(f"Can't convert {_shown(value)} to {_container(value) or kind}")
    return value


def _natural(value: object, bits: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"Can't convert {_shown(value)} to {_container(value) or f'uint{bits}'}")
    if value < 0:
        raise ValueError(f"{_shown(value)} is negative so does not fit in uint{bits}")
    if value >= 2**bits:
        raise ValueError(f"{_shown(value)} would overflow uint{bits}")
    return value


def _words(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError(f"Can't convert {_shown(value)} to {_container(value) or 'pq.StringArray(slice)'}")
    return tuple(_of_type(item, str, "string") for item in value)


def _printed(value: object) -> str:
    if isinstance(value, list | dict):
        raise ValueError(f"Can't convert {_shown(value)} to {_container(value)}")
    return _plain(value)


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}" if abs(value) < 1e21 else repr(value)
    if isinstance(value, list):
        return f"[{' '.join(map(_plain, value))}]"
    return str(value)


def _shown(value: object) -> str:
    kinds = {bool: "bool", int: "int64", float: "float64", str: "string", list: "[]interface {}", dict: "*toml.Tree"}
    return f"{_plain(value)[:200]}({kinds.get(type(value), 'time.Time')})"


def _container(value: object) -> str:
    return "a slice" if isinstance(value, list) else "a tree" if isinstance(value, dict) else ""


def _is_hex(text: str) -> bool:
    return bool(text) and all(letter in "0123456789abcdefABCDEF" for letter in text)
