"""
Values in the encoding of Solidity's contract ABI, strictly: what no compiler writes is refused.

Each type stands in its container's head, a dynamic one (of a length of its own) as the offset of where it stands
behind the head. Numbers are int, addresses 0x text in lower case, byte strings bytes, lists and structs tuples.
https://docs.soliditylang.org/en/latest/abi-spec.html
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

_WORD = 32
_LONGEST_NUMBER = 256
# Types come from jobs too, and reading one goes as deep as it is nested.
_DEEPEST = 16
_ADDRESS = re.compile(r"(?:0[xX])?([0-9a-fA-F]{40})")
_ARRAY = re.compile(r"(.+)\[([1-9][0-9]{0,8})?\]")
_NUMBER = re.compile(r"(u)?int([1-9][0-9]{0,2})?")
_BYTES = re.compile(r"bytes([1-9][0-9]?)")


class AbiError(ValueError):
    """A type that is none, a value that does not fit its type, or bytes that are not the encoding of one."""


def encode(types: Sequence[str], values: Sequence[Any]) -> bytes:
    """Encode values, as the arguments of a call are; AbiError if they do not fit."""
    return _container(tuple(types)).encode(values)


def decode(types: Sequence[str], data: bytes) -> tuple[Any, ...]:
    """Decode as many values as there are types; AbiError if the bytes are not their encoding."""
    return _container(tuple(types)).decode(data, 0)


@lru_cache(maxsize=512)
def _container(types: tuple[str, ...]) -> "Tuple":
    return Tuple(tuple(map(parse, types)))


@dataclass(frozen=True)
class Type(ABC):
    """One type: whether it is dynamic, and how many bytes it takes in its container's head."""

    dynamic: bool = field(default=False, init=False)
    size: int = field(default=_WORD, init=False)

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
            raise _misfit(self, value)
        low, high = (-(1 << self.bits - 1), 1 << self.bits - 1) if self.signed else (0, 1 << self.bits)
        if not low <= value < high:
            raise AbiError(f"{self}: found {value}, allowed {low} to {high - 1}")
        return value.to_bytes(_WORD, "big", signed=self.signed)

    def decode(self, data: bytes, at: int) -> int:
        """Read a word, and refuse a number of more bits."""
        value = int.from_bytes(_word(data, at), "big", signed=self.signed)
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
            raise _misfit(self, value)
        return int(value).to_bytes(_WORD, "big")

    def decode(self, data: bytes, at: int) -> bool:
        """Read a word that is 0 or 1."""
        value = int.from_bytes(_word(data, at), "big")
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
            raise _misfit(self, value)
        return value.rjust(_WORD, b"\0")

    def decode(self, data: bytes, at: int) -> str:
        """Read 0x text in lower case."""
        word = _word(data, at)
        if any(word[:12]):
            raise AbiError(f"address: found {word.hex()}")
        return "0x" + word[12:].hex()

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
            raise _misfit(self, value)
        return value.ljust(_WORD, b"\0")

    def decode(self, data: bytes, at: int) -> bytes:
        """Read the bytes, behind which nothing but zeros may stand."""
        word = _word(data, at)
        if any(word[self.length :]):
            raise AbiError(f"{self}: found {word.hex()}")
        return word[: self.length]

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
            raise _misfit(self, value)
        return len(value).to_bytes(_WORD, "big") + value + bytes(-len(value) % _WORD)

    def decode(self, data: bytes, at: int) -> bytes:
        """Read a length and so many bytes, up to a whole word."""
        length = int.from_bytes(_word(data, at), "big")
        start = at + _WORD
        end = start + length
        padded_end = end + -length % _WORD
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
            raise _misfit(self, value)
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


@dataclass(frozen=True)
class Tuple(Type):
    """One value of each of some types: a struct, or the arguments of a call."""

    items: tuple[Type, ...]

    def __post_init__(self) -> None:
        """Note what each head takes."""
        dynamic = any(item.dynamic for item in self.items)
        object.__setattr__(self, "dynamic", dynamic)
        object.__setattr__(self, "size", _WORD if dynamic else sum(item.size for item in self.items))

    def encode(self, value: Any) -> bytes:
        """Take as many values as there are types."""
        if not isinstance(value, list | tuple):
            raise _misfit(self, value)
        if len(value) != len(self.items):
            raise AbiError(f"{self}: found {len(value)} values")
        return _encode(self.items, value)

    def decode(self, data: bytes, at: int) -> tuple[Any, ...]:
        """Read the values."""
        return _decode(self.items, data, at)

    def __str__(self) -> str:
        """Return the type as it stands in a signature."""
        return f"({','.join(map(str, self.items))})"


@dataclass(frozen=True)
class Array(Type):
    """Values of one type: so many, or any number."""

    item: Type
    length: int | None

    def __post_init__(self) -> None:
        """Note what the head takes."""
        dynamic = self.length is None or self.item.dynamic
        object.__setattr__(self, "dynamic", dynamic)
        object.__setattr__(self, "size", _WORD if dynamic else self.item.size * (self.length or 0))

    def encode(self, value: Any) -> bytes:
        """Take a list or tuple of values."""
        if not isinstance(value, list | tuple):
            raise _misfit(self, value)
        if self.length is None:
            return len(value).to_bytes(_WORD, "big") + _encode((self.item,) * len(value), value)
        if len(value) != self.length:
            raise AbiError(f"{self}: found {len(value)} values")
        return _encode((self.item,) * self.length, value)

    def decode(self, data: bytes, at: int) -> tuple[Any, ...]:
        """Read the values; their number is looked at before anything is made for them."""
        length = self.length
        if length is None:
            length, at = int.from_bytes(_word(data, at), "big"), at + _WORD
        if length * self.item.size > len(data) - at:
            raise AbiError(f"{self}: found a length of {length} with {len(data) - at} bytes left")
        return _decode((self.item,) * length, data, at)

    def __str__(self) -> str:
        """Return the type as it stands in a signature."""
        return f"{self.item}[{'' if self.length is None else self.length}]"


_NAMED: dict[str, Type] = {"bool": Bool(), "address": Address(), "bytes": Bytes(), "string": Text()}


def parse(text: str) -> Type:
    """Read a type such as uint256, bytes32[2][] or (address,int192[]); AbiError if it is none."""
    if known := _NAMED.get(text):
        return known
    if text.count("[") + text.count("(") > _DEEPEST:
        raise AbiError(f"{text[:80]!r}… is nested deeper than {_DEEPEST}")
    if found := _ARRAY.fullmatch(text):
        return Array(parse(found[1]), int(found[2]) if found[2] else None)
    if found := _NUMBER.fullmatch(text):
        bits = int(found[2] or _LONGEST_NUMBER)
        if bits % 8 == 0 and bits <= _LONGEST_NUMBER:
            return Number(bits, not found[1])
    elif found := _BYTES.fullmatch(text):
        if int(found[1]) <= _WORD:
            return FixedBytes(int(found[1]))
    elif text.startswith("(") and text.endswith(")") and len(text) > 2:
        return Tuple(tuple(map(parse, _parts(text[1:-1]))))
    raise AbiError(f"{text[:80]!r} is no type of the ABI")


def _parts(text: str) -> list[str]:
    parts, depth = [""], 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _encode(types: Sequence[Type], values: Sequence[Any]) -> bytes:
    heads, tails = [], []
    offset = sum(item.size for item in types)
    for item, value in zip(types, values, strict=True):
        encoded = item.encode(value)
        if item.dynamic:
            heads.append(offset.to_bytes(_WORD, "big"))
            tails.append(encoded)
            offset += len(encoded)
        else:
            heads.append(encoded)
    return b"".join((*heads, *tails))


def _decode(types: Sequence[Type], data: bytes, start: int) -> tuple[Any, ...]:
    values, at = [], start
    head = sum(item.size for item in types)
    for item in types:
        place = at
        if item.dynamic:
            offset = int.from_bytes(_word(data, at), "big")
            place = start + offset
            if offset < head or place >= len(data):
                raise AbiError(f"{item}: found it said to be at byte {offset} of {len(data) - start}")
        values.append(item.decode(data, place))
        at += item.size
    return tuple(values)


def _word(data: bytes, at: int) -> bytes:
    word = data[at : at + _WORD]
    if len(word) != _WORD:
        raise AbiError(f"found {len(word)} bytes where a word of {_WORD} is to stand")
    return word


def _misfit(type_: Type, value: object) -> AbiError:
    return AbiError(f"{type_}: found {str(value)[:80]!r} of type {type(value).__name__}")
