"""Functions and events of a contract as bytes, in the ABI's encoding."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_utils.crypto import keccak

from chainlink.address import checksummed
from chainlink.rpc.answers import blob
from chainlink.rpc.errors import Malformed


@dataclass(frozen=True)
class Function:
    """Hold a function's name and the types of its arguments and results."""

    name: str
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()

    @cached_property
    def selector(self) -> bytes:
        """Return the 4 bytes that call data begins with."""
        return keccak(text=f"{self.name}({','.join(self.inputs)})")[:4]

    def call_data(self, *arguments: Any) -> bytes:
        """Return the data of a call, canonically and tightly encoded."""
        return self.selector + encode(self.inputs, arguments)

    def decode(self, data: bytes) -> tuple[Any, ...]:
        """Return the results of a call, addresses checksummed; Malformed if the bytes are none."""
        return _decode(f"{self.name}()", self.outputs, data)


@dataclass(frozen=True, slots=True)
class Field:
    """Hold a field of an event; an indexed one stands in the log's topics."""

    name: str
    type: str
    indexed: bool = False


@dataclass(frozen=True)
class Event:
    """Hold an event's name and fields."""

    name: str
    fields: tuple[Field, ...]

    @cached_property
    def topic(self) -> bytes:
        """Return the 32 bytes that stand first among a log's topics."""
        return keccak(text=f"{self.name}({','.join(field.type for field in self.fields)})")

    def decode(self, log: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of a log by name, addresses checksummed; Malformed if it is no log of this event."""
        topics = log.get("topics")
        indexed = [field for field in self.fields if field.indexed]
        if not isinstance(topics, list | tuple) or len(topics) != 1 + len(indexed) or blob(topics[0]) != self.topic:
            raise Malformed(f"{self.name}: found a log with the topics {topics!r}")
        values = {
            field.name: _decode(self.name, (field.type,), blob(topic))[0]
            for field, topic in zip(indexed, topics[1:], strict=True)
        }
        plain = [field for field in self.fields if not field.indexed]
        found = _decode(self.name, tuple(field.type for field in plain), blob(log.get("data")))
        return values | {field.name: value for field, value in zip(plain, found, strict=True)}


def _decode(what: str, types: tuple[str, ...], data: bytes) -> tuple[Any, ...]:
    try:
        values = decode(types, data)
    except (DecodingError, ValueError, OverflowError) as error:
        raise Malformed(f"{what}: not the encoding of ({','.join(types)}): {error}") from error
    return tuple(_spelled(kind, value) for kind, value in zip(types, values, strict=True))


def _spelled(kind: str, value: Any) -> Any:
    if kind == "address":
        return checksummed(value)
    return tuple(map(checksummed, value)) if kind == "address[]" else value
