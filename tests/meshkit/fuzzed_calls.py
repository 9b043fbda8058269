"""Calls with any arguments, made from the descriptors of the services."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import grpc
import grpc.aio
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from hypothesis import strategies as st

from meshkit.rpc.client import channel, error_info

PROTOSET = Path(__file__).parents[2] / "gen/feedmesh.protoset"
_CALL_S = 0.2
_RESPONSES = 3

_INTEGERS = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
}
_TEXTS = st.one_of(
    st.sampled_from(
        [
            *("", "a", "BTC", "USD", "BTC / USD", "kraken", "SIGHUP", "SIGKILL", "supervisor", "chainlink-node-2"),
            *("\0", "/\0", "/", "/etc/passwd", "../x", "\u202e", "%s%n", "x" * 5000),
        ]
    ),
    st.text(max_size=30),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """How a call ended, in words, and the field its error names."""

    code: grpc.StatusCode
    details: str
    field: str | None


def methods() -> Iterator[MethodDescriptor]:
    """Yield every method of ours, and of what every server of ours has."""
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(PROTOSET.read_bytes()).file:
        pool.Add(file)
        for service in file.service:
            yield from pool.FindServiceByName(f"{file.package}.{service.name}").methods


def payloads(method: Any) -> st.SearchStrategy[bytes]:
    """Return messages of a method's request with any values, such with a part changed, and bytes that are none."""
    whole = messages(method.input_type).map(lambda message: bytes(message.SerializeToString(deterministic=True)))
    return st.one_of(whole, whole, whole, st.builds(_spoilt, whole, st.integers(0), st.binary(max_size=3)), st.binary())


def _spoilt(payload: bytes, place: int, instead: bytes) -> bytes:
    place %= len(payload) + 1
    return payload[:place] + instead + payload[place + len(instead) :]


def messages(descriptor: Descriptor) -> st.SearchStrategy[Any]:
    """Return messages of a type with any of its fields, each with any value of its type."""
    make = message_factory.GetMessageClass(descriptor)
    values = {field.name: _values(field) for field in descriptor.fields}
    return st.fixed_dictionaries({}, optional=values).map(lambda given: make(**given))


def _values(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    one = _value(field)
    return st.lists(one, max_size=4) if field.is_repeated else one


def _value(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        return messages(cast(Descriptor, field.message_type))
    if field.type in _INTEGERS:
        least, most = _INTEGERS[field.type]
        return st.one_of(st.sampled_from([least, most, 0, 1]), st.integers(least, most))
    if field.type == FieldDescriptor.TYPE_BOOL:
        return st.booleans()
    if field.type == FieldDescriptor.TYPE_STRING:
        return _TEXTS
    if field.type == FieldDescriptor.TYPE_ENUM:
        return st.integers(-1, 20)
    raise NotImplementedError(f"{field.full_name}: no values of its type yet")


async def call(socket: Path, method: MethodDescriptor, payload: bytes) -> Answer:
    """Make a call, take some responses if it is a stream, and return how it ended; OK if we ended it."""
    name = f"/{method.containing_service.full_name}/{method.name}"
    async with channel(socket) as connection:
        try:
            if method.server_streaming:
                stream: Any = cast(Any, connection.unary_stream(name))(payload, timeout=_CALL_S)
                for _ in range(_RESPONSES):
                    if await stream.read() is grpc.aio.EOF:
                        break
                stream.cancel()
            else:
                await cast(Any, connection.unary_unary(name))(payload, timeout=_CALL_S)
        except grpc.aio.AioRpcError as error:
            info = error_info(error)
            return Answer(error.code(), error.details() or "", None if info is None else info.metadata.get("field"))
        except asyncio.CancelledError:
            return Answer(grpc.StatusCode.CANCELLED, "", None)
    return Answer(grpc.StatusCode.OK, "", None)
