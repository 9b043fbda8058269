"""The calls, answers and events of a contract, as bytes, in the ABI's encoding."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from chainlink.abi import decode, encode
from chainlink.abi_types import AbiError
from chainlink.contract.artifact import Artifact
from chainlink.rpc.answers import blob
from chainlink.rpc.errors import Malformed
from meshkit.ethereum.address import checksummed
from meshkit.ethereum.keccak import keccak256


@dataclass(frozen=True)
class Function:
    """Hold a function's name and the types of its arguments and results."""

    name: str
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()

    @cached_property
    def selector(self) -> bytes:
        """Return the 4 bytes that call data begins with."""
        return keccak256(f"{self.name}({','.join(self.inputs)})".encode())[:4]

    def call_data(self, *arguments: Any) -> bytes:
        """Return the data of a call, canonically and tightly encoded; ValueError if the arguments do not fit."""
        return self.selector + _encode(self.inputs, arguments)

    def arguments(self, data: bytes) -> tuple[Any, ...]:
        """Return the arguments in the data of a call, addresses checksummed; Malformed if it is no call of this."""
        if not data.startswith(self.selector):
            raise Malformed(f"{self.name}: found call data that begins with {data[:4].hex()}")
        return _decode(self.name, self.inputs, data[4:])

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
        return keccak256(f"{self.name}({','.join(field.type for field in self.fields)})".encode())

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


class AbiCodec:
    """
    Encode and decode by a compiled contract's ABI; addresses come out checksummed, lists as tuples.

    Names are the contract's own, none of which is overloaded; a name that it lacks is a KeyError.
    """

    def __init__(self, artifact: Artifact) -> None:
        self._bytecode = bytes.fromhex(artifact.bytecode.removeprefix("0x"))
        items = artifact.abi
        self._constructor = next((_types(item["inputs"]) for item in items if item["type"] == "constructor"), ())
        self.functions = {
            item["name"]: Function(item["name"], _types(item["inputs"]), _types(item["outputs"]))
            for item in items
            if item["type"] == "function"
        }
        self.events = {item["name"]: _event(item) for item in items if item["type"] == "event"}

    def deployment(self, *arguments: object) -> bytes:
        """Return the creation code with the constructor's arguments; ValueError if these do not fit."""
        return self._bytecode + _encode(self._constructor, arguments)

    def call(self, function: str, *arguments: object) -> bytes:
        """Return the data of a call; ValueError if the arguments do not fit."""
        return self.functions[function].call_data(*arguments)

    def result(self, function: str, data: bytes) -> Any:
        """Return what a function gives: its one value, or a tuple of them; Malformed if the bytes are no such thing."""
        values = self.functions[function].decode(data)
        return values[0] if len(values) == 1 else values

    def topic(self, event: str) -> bytes:
        """Return the 32 bytes that mark an event's logs."""
        return self.events[event].topic

    def event(self, event: str, log: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of an event's log by name; Malformed if it is none."""
        return self.events[event].decode(log)


def _types(fields: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(map(_type, fields))


def _type(field: Mapping[str, Any]) -> str:
    """Return a type as it stands in a signature: a struct, or a list of them, as what it consists of."""
    kind: str = field["type"]
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(_types(field['components']))}){kind.removeprefix('tuple')}"


def _event(item: Mapping[str, Any]) -> Event:
    return Event(item["name"], tuple(Field(field["name"], _type(field), field["indexed"]) for field in item["inputs"]))


def _encode(types: Sequence[str], values: Sequence[object]) -> bytes:
    try:
        return encode(types, values)
    except AbiError as error:
        raise ValueError(f"({', '.join(types)}): {error}") from error


def _decode(what: str, types: tuple[str, ...], data: bytes) -> tuple[Any, ...]:
    try:
        values = decode(types, data)
    except AbiError as error:
        raise Malformed(f"{what}: not the encoding of ({','.join(types)}): {error}") from error
    return tuple(_spelled(kind, value) for kind, value in zip(types, values, strict=True))


def _spelled(kind: str, value: Any) -> Any:
    if kind == "address":
        return checksummed(value)
    return tuple(map(checksummed, value)) if kind == "address[]" else value
