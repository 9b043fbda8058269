"""
The types of Solidity's contract ABI that have no parts: each knows how its values are written and read, strictly.

Numbers are int, addresses 0x text in lower case, byte strings bytes.
https://docs.soliditylang.org/en/latest/abi-spec.html
"""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, Final

WORD: Final = 32
_ADDRESS = re.compile(r"(?:0[xX])?([0-9a-fA-F]{40})")


class AbiError(ValueError):
    """A type that is none, a value that does not fit its type, or bytes that are not the encoding of one."""


@dataclass(frozen=True)
class Type(ABC):
    """One type: whether it is dynamic, and how many bytes it takes in its container's head."""

    dynamic: bool = field(default=False, init=False)
    size: int = field(default=WORD, init=False)

    @abstractmethod
    def encode(self, value: Any) -> bytes:
        """Encode a value; AbiError if it does not fit."""

    @abstractmethod
    def decode(self, data: bytes, at: int) -> Any:
        """Decode what stands at a place; AbiError if that is no such value."""


@dataclass(frozen=True)
class Number(Type):
    """A whole number of so many bits."""

    bits: int
    signed: bool

    def encode(self, value: Any) -> bytes:
        """Take an int within the type's bounds."""
        if type(value) is not int:
            raise misfit(self, value)
        low, high = (-(1 << self.bits - 1), 1 << self.bits - 1) if self.signed else (0, 1 << self.bits)
        if not low <= value < high:
            raise AbiError(f"{self}: found {value}, allowed {low} to {high - 1}")
        return value.to_bytes(WORD, "big", signed=self.signed)

    def decode(self, data: bytes, at: int) -> int:
        """Read a word, and refuse a number of more bits."""
        value = int.from_bytes(word(data, at), "big", signed=self.signed)
        # Of a negative number the complement has the bits that count.
        if (value if value >= 0 else ~value).bit_length() > self.bits - self.signed:
            raise AbiError(f"{self}: found {value}")
        return value

    def __str__(self) -> str:
        """Return the type as it stands in a signature."""
        return f"{'' if self.signed else 'u'}int{self.bits}"


@dataclass(frozen=True)
class Bool(Type):
    """True or false."""

    def encode(self, value: Any) -> bytes:
        """Take a bool and nothing that only counts as one."""
        if not isinstance(value, bool):
            raise misfit(self, value)
        return int(value).to_bytes(WORD, "big")

    def decode(self, data: bytes, at: int) -> bool:
        """Read a word that is 0 or 1."""
        value = int.from_bytes(word(data, at), "big")
        if value > 1:
            raise AbiError(f"bool: found {value}, allowed 0 or 1")
        return value == 1

    def __str__(self) -> str:
        """Return the type as it stands in a signature."""
        return "bool"


@dataclass(frozen=True)
class Address(Type):
    """An account or a contract."""

    def encode(self, value: Any) -> bytes:
        """Take 20 bytes, or their hexadecimal digits in any case."""
        if isinstance(value, str) and (found := _ADDRESS.fullmatch(value)):
            value = bytes.fromhex(found[1])
        if not isinstance(value, bytes) or len(value) != 20:
            raise misfit(self, value)
        return value.rjust(WORD, b"\0")

    def decode(self, data: bytes, at: int) -> str:
        """Read 0x text in lower case."""
        found = word(data, at)
        if any(found[:12]):
            raise AbiError(f"address: found {found.hex()}")
        return "0x" + found[12:].hex()

    def __str__(self) -> str:
        """Return the type as it stands in a signature."""
        return "address"


@dataclass(frozen=True)
class FixedBytes(Type):
    """So many bytes."""

    length: int

    def encode(self, value: Any) -> bytes:
        """Take bytes, zeros being put behind what is shorter."""
        if not isinstance(value, bytes) or len(value) > self.length:
            raise misfit(self, value)
        return value.ljust(WORD, b"\0")

    def decode(self, data: bytes, at: int) -> bytes:
        """Read the bytes, behind which nothing but zeros may stand."""
        found = word(data, at)
        if any(found[self.length :]):
            raise AbiError(f"{self}: found {found.hex()}")
        return found[: self.length]

    def __str__(self) -> str:
        """Return the type as it stands in a signature."""
        return f"bytes{self.length}"


@dataclass(frozen=True)
class Bytes(Type):
    """Bytes of any number."""

    dynamic: bool = field(default=True, init=False)

    def encode(self, value: Any) -> bytes:
        """Take bytes."""
        if not isinstance(value, bytes):
            raise misfit(self, value)
        return len(value).to_bytes(WORD, "big") + value + bytes(-len(value) % WORD)

    def decode(self, data: bytes, at: int) -> bytes:
        """Read a length and so many bytes, up to a whole word."""
        length = int.from_bytes(word(data, at), "big")
        start = at + WORD
        end = start + length
        padded_end = end + -length % WORD
        if padded_end > len(data):
            raise AbiError(f"{self}: found a length of {length} with {len(data) - start} bytes left")
        if any(data[end:padded_end]):
            raise AbiError(f"{self}: found {data[end:padded_end].hex()} behind the value, allowed zeros")
        return data[start:end]

    def __str__(self) -> str:
        """Return the type as it stands in a signature."""
        return "bytes"


@dataclass(frozen=True)
class Text(Type):
    """A text, in UTF-8."""

    dynamic: bool = field(default=True, init=False)

    def encode(self, value: Any) -> bytes:
        """Take a text that UTF-8 can hold."""
        if not isinstance(value, str):
            raise misfit(self, value)
        try:
            return Bytes().encode(value.encode())
        except UnicodeEncodeError as error:
            raise AbiError(f"string: {error}") from error

    def decode(self, data: bytes, at: int) -> str:
        """Read the bytes and refuse what is no UTF-8."""
        try:
            return Bytes().decode(data, at).decode()
        except UnicodeDecodeError as error:
            raise AbiError(f"string: {error}") from error

    def __str__(self) -> str:
        """Return the type as it stands in a signature."""
        return "string"


def word(data: bytes, at: int) -> bytes:
    """Return the word of 32 bytes at a place; AbiError if there are fewer."""
    found = data[at : at + WORD]
    if len(found) != WORD:
        raise AbiError(f"found {len(found)} bytes where a word of {WORD} is to stand")
    return found


def misfit(type_: Type, value: object) -> AbiError:
    """Return the error of a value that is not of a type."""
    return AbiError(f"{type_}: found {str(value)[:80]!r} of type {type(value).__name__}")
