"""The calls, answers and events of a compiled contract, as bytes, by its ABI."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError, EncodingError
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from chainlink.contract.artifact import Artifact
from chainlink.rpc.answers import blob
from chainlink.rpc.errors import Malformed


@dataclass(frozen=True, slots=True)
class _Event:
    """Hold an event's topic, and its fields by name: those in topics and those in data, in order."""

    topic: bytes
    indexed: tuple[tuple[str, str], ...]
    plain: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Function:
    """Hold a function's selector and the types of what it takes and gives."""

    selector: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


class AbiCodec:
    """
    Encode and decode by one contract's ABI; addresses are 0x text, checksummed where they come out, lists are tuples.

    Names are the contract's own, none of which is overloaded; a name that it lacks is a KeyError.
    """

    def __init__(self, artifact: Artifact) -> None:
        self._bytecode = bytes.fromhex(artifact.bytecode.removeprefix("0x"))
        items = artifact.abi
        self._constructor = next((_types(item["inputs"]) for item in items if item["type"] == "constructor"), ())
        self._functions = {
            item["name"]: _Function(_signature(item)[:4], _types(item["inputs"]), _types(item["outputs"]))
            for item in items
            if item["type"] == "function"
        }
        self._events = {item["name"]: _event(item) for item in items if item["type"] == "event"}

    def deployment(self, *arguments: object) -> bytes:
        """Return the creation code with the constructor's arguments; ValueError if these do not fit."""
        return self._bytecode + _encode(self._constructor, arguments)

    def call(self, function: str, *arguments: object) -> bytes:
        """Return the data of a call; ValueError if the arguments do not fit."""
        found = self._functions[function]
        return found.selector + _encode(found.inputs, arguments)

    def result(self, function: str, data: bytes) -> Any:
        """Return what a function gives: its one value, or a tuple of them; Malformed if the bytes are no such thing."""
        types = self._functions[function].outputs
        values = _decode(types, data)
        return values[0] if len(values) == 1 else values

    def topic(self, event: str) -> bytes:
        """Return the 32 bytes that mark an event's logs."""
        return self._events[event].topic

    def event(self, event: str, log: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of an event's log by name; Malformed if it is none."""
        found, topics = self._events[event], log.get("topics")
        if not isinstance(topics, list) or len(topics) != 1 + len(found.indexed) or blob(topics[0]) != found.topic:
            raise Malformed(f"a log that is no {event}")
        fields = {
            name: _decode((kind,), blob(topic))[0]
            for (name, kind), topic in zip(found.indexed, topics[1:], strict=True)
        }
        names, types = [name for name, _ in found.plain], [kind for _, kind in found.plain]
        return fields | dict(zip(names, _decode(types, blob(log.get("data"))), strict=True))


def _types(fields: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(field["type"] for field in fields)


def _signature(item: Mapping[str, Any]) -> bytes:
    return keccak(text=f"{item['name']}({','.join(_types(item['inputs']))})")


def _event(item: Mapping[str, Any]) -> _Event:
    indexed = tuple((field["name"], field["type"]) for field in item["inputs"] if field["indexed"])
    plain = tuple((field["name"], field["type"]) for field in item["inputs"] if not field["indexed"])
    return _Event(_signature(item), indexed, plain)


def _encode(types: Sequence[str], values: Sequence[object]) -> bytes:
    try:
        return encode(types, values)
    except (EncodingError, TypeError) as error:
        raise ValueError(f"({', '.join(types)}): {error}") from error


def _decode(types: Sequence[str], data: bytes) -> tuple[Any, ...]:
    try:
        values = decode(types, data)
    except (DecodingError, ValueError, OverflowError) as error:
        raise Malformed(f"not the encoding of ({','.join(types)}): {error}") from error
    return tuple(_readable(kind, value) for kind, value in zip(types, values, strict=True))


def _readable(kind: str, value: Any) -> Any:
    if kind == "address":
        return to_checksum_address(value)
    return tuple(map(to_checksum_address, value)) if kind == "address[]" else value
