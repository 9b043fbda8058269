"""
Values in the encoding of Solidity's contract ABI, strictly: what no compiler writes is refused.

Each type stands in its container's head, a dynamic one (of a length of its own) as the offset of where it stands
behind the head. Lists and structs are tuples, all else is as in `abi_types`.
https://docs.soliditylang.org/en/latest/abi-spec.html
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from chainlink.abi_types import (
    WORD,
    AbiError,
    Address,
    Bool,
    Bytes,
    FixedBytes,
    Number,
    Text,
    Type,
    misfit,
    word,
)

_LONGEST_NUMBER = 256
# Types come from jobs too, and reading one goes as deep as it is nested.
_DEEPEST = 16
_ARRAY = re.compile(r"(.+)\[([1-9][0-9]{0,8})?\]")
_NUMBER = re.compile(r"(u)?int([1-9][0-9]{0,2})?")
_BYTES = re.compile(r"bytes([1-9][0-9]?)")


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
class Tuple(Type):
    """One value of each of some types: a struct, or the arguments of a call."""

    items: tuple[Type, ...]

    def __post_init__(self) -> None:
        """Note what each head takes."""
        dynamic = any(item.dynamic for item in self.items)
        object.__setattr__(self, "dynamic", dynamic)
        object.__setattr__(self, "size", WORD if dynamic else sum(item.size for item in self.items))

    def encode(self, value: Any) -> bytes:
        """Take as many values as there are types."""
        if not isinstance(value, list | tuple):
            raise misfit(self, value)
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
        object.__setattr__(self, "size", WORD if dynamic else self.item.size * (self.length or 0))

    def encode(self, value: Any) -> bytes:
        """Take a list or tuple of values."""
        if not isinstance(value, list | tuple):
            raise misfit(self, value)
        if self.length is None:
            return len(value).to_bytes(WORD, "big") + _encode((self.item,) * len(value), value)
        if len(value) != self.length:
            raise AbiError(f"{self}: found {len(value)} values")
        return _encode((self.item,) * self.length, value)

    def decode(self, data: bytes, at: int) -> tuple[Any, ...]:
        """Read the values; their number is looked at before anything is made for them."""
        length = self.length
        if length is None:
            length, at = int.from_bytes(word(data, at), "big"), at + WORD
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
        if int(found[1]) <= WORD:
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
            heads.append(offset.to_bytes(WORD, "big"))
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
            offset = int.from_bytes(word(data, at), "big")
            place = start + offset
            if offset < head or place >= len(data):
                raise AbiError(f"{item}: found it said to be at byte {offset} of {len(data) - start}")
        values.append(item.decode(data, place))
        at += item.size
    return tuple(values)
