"""
The interceptors of every server: request id, who may call, log and metrics, error mapping.

They are one interceptor because they share one try block: the status that the mapping decides is what is counted and
logged. A domain error becomes its class's status with `google.rpc.ErrorInfo`; bytes that are no message are a wrong
argument; any other exception is a defect of ours, logged with its traceback and answered INTERNAL without details.
Nothing is answered UNKNOWN, which grpc says of whatever it does not expect.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, cast
from urllib.parse import quote

import grpc
import grpc.aio
import structlog
from google.protobuf import any_pb2
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from meshkit import log
from meshkit.errors import DOMAIN, InvalidInput, MeshError, PermissionDenied, Unavailable
from meshkit.log import get_logger
from meshkit.metrics import Registry
from meshkit.mutual_tls.peer_role import role_of_call
from meshkit.rpc.permissions import may_call

REQUEST_ID = "x-request-id"
_LONGEST_REQUEST_ID = 64
# Clients take 8 KB of headers unless they are told otherwise.
_LONGEST_STATUS_BYTES = 7_000
_LONGEST_FIELD = 300
# Probes and whoever gathers metrics call these for ever; their calls would drown the log.
_QUIET = ("/grpc.health.v1.Health/", "/feedmesh.metrics.v1.MetricsPageService/")
# The bounds of a Timestamp: the years 1 and 9999.
_FIRST_S, _LAST_S = -62_135_596_800, 253_402_300_799

_log = get_logger(__name__)

Handler = Callable[[Any, "grpc.aio.ServicerContext[Any, Any]"], Any]


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Give each call a request id, map its errors, count and log it."""

    def __init__(self, registry: Registry) -> None:
        self._handled = registry.counter("grpc_server_handled_total")
        self._seconds = registry.histogram("grpc_server_handling_seconds")
        self._streams: set[asyncio.Task[Any]] = set()
        self._draining = False

    def end_streams(self) -> None:
        """End every response stream with UNAVAILABLE: a stream that lasts for ever would use up the drain time."""
        self._draining = True
        for stream in self._streams:
            stream.cancel()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable["grpc.RpcMethodHandler[Any, Any] | None"]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "grpc.RpcMethodHandler[Any, Any]":
        """Wrap the handler of whichever of the four arities the method has."""
        handler = await continuation(handler_call_details)
        if handler is None:  # an unknown method: grpc answers UNIMPLEMENTED
            return cast("grpc.RpcMethodHandler[Any, Any]", None)
        method = handler_call_details.method
        request_id = _request_id(handler_call_details)
        decode = _decoder(handler)
        if handler.response_streaming:
            inner = handler.stream_stream if handler.request_streaming else handler.unary_stream
            wrapped = self._streaming(cast(Handler, inner), decode, method, request_id)
            factory: Any = (
                grpc.stream_stream_rpc_method_handler
                if handler.request_streaming
                else grpc.unary_stream_rpc_method_handler
            )
        else:
            inner = handler.stream_unary if handler.request_streaming else handler.unary_unary
            wrapped = self._unary(cast(Handler, inner), decode, method, request_id)
            factory = (
                grpc.stream_unary_rpc_method_handler
                if handler.request_streaming
                else grpc.unary_unary_rpc_method_handler
            )
        return cast(
            "grpc.RpcMethodHandler[Any, Any]",
            # Requests come as bytes and are decoded where errors are mapped.
            factory(wrapped, request_deserializer=None, response_serializer=handler.response_serializer),
        )

    def _unary(self, inner: Handler, decode: Callable[[Any], Any], method: str, request_id: str) -> Handler:
        async def call(raw: Any, context: "grpc.aio.ServicerContext[Any, Any]") -> Any:
            async with self._observed(method, request_id, context):
                return await inner(decode(raw), context)

        return call

    def _streaming(self, inner: Handler, decode: Callable[[Any], Any], method: str, request_id: str) -> Handler:
        async def call(raw: Any, context: "grpc.aio.ServicerContext[Any, Any]") -> AsyncIterator[Any]:
            async with self._observed(method, request_id, context), self._endable():
                # Some generated services (reflection) write to the context instead of yielding.
                produced = inner(decode(raw), context)
                if hasattr(produced, "__aiter__"):
                    async for response in produced:
                        yield response
                else:
                    await produced

        return call

    @asynccontextmanager
    async def _endable(self) -> AsyncIterator[None]:
        task = asyncio.current_task()
        assert task is not None
        self._streams.add(task)
        try:
            yield
        except asyncio.CancelledError:
            # The other reason to be cancelled is that the client went away.
            if self._draining:
                raise Unavailable("the service is stopping") from None
            raise
        finally:
            self._streams.discard(task)

    @asynccontextmanager
    async def _observed(
        self, method: str, request_id: str, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> AsyncIterator[None]:
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started = time.monotonic()
        code = grpc.StatusCode.OK
        try:
            _check_caller(method, context)
            yield
        except MeshError as error:
            code = error.status
            await context.abort_with_status(rpc_status.to_status(_status_of(error)))
        except grpc.aio.AbortError:
            code = grpc.StatusCode(context.code())
            raise
        except GeneratorExit:
            raise
        except Exception as error:
            if (expected := _first_mesh_error(error)) is not None:
                code = expected.status
                await context.abort_with_status(rpc_status.to_status(_status_of(expected)))
            code = grpc.StatusCode.INTERNAL
            _log.exception("call_crashed", method=method)
            await context.abort(code, "internal error; the service's log has the traceback")
        finally:
            seconds = time.monotonic() - started
            service, _, name = method.lstrip("/").partition("/")
            self._handled.labels(service, name, code.name).inc()
            self._seconds.labels(service, name).observe(seconds)
            if not method.startswith(_QUIET):
                said = {"method": method, "code": code.name, "duration_ms": round(seconds * 1000, 3)}
                if code is grpc.StatusCode.OK:
                    _log.debug("call", **said)
                else:
                    # Whoever asks again and again for what is away is one line, and a count.
                    _log.info("call", **said, folded_over=("duration_ms",))


def _check_caller(method: str, context: "grpc.aio.ServicerContext[Any, Any]") -> None:
    """Raise PermissionDenied for a peer with a certificate whose role may not call the method."""
    # Without TLS it came over a Unix socket or loopback: a server listens beyond them with certificates only.
    if b"ssl" in context.auth_context().get("transport_security_type", ()):
        role = role_of_call(context.auth_context())
        if not may_call(role, method):
            who = "a certificate without a role of this mesh" if role is None else f"the certificate of {role}"
            raise PermissionDenied(f"{method}: {who} may not call it")


def _decoder(handler: "grpc.RpcMethodHandler[Any, Any]") -> Callable[[Any], Any]:
    """Return what makes a method's request of the bytes that came, or its stream of requests of a stream of bytes."""
    deserialize = cast("Callable[[bytes], Any]", handler.request_deserializer)

    def decode(raw: bytes) -> Any:
        try:
            request = deserialize(raw)
        except DecodeError as error:
            raise InvalidInput("request", f"{len(raw)} bytes", f"a message of the method's type ({error})") from None
        check_times(request)
        return request

    async def decode_all(stream: AsyncIterator[bytes]) -> AsyncIterator[Any]:
        async for raw in stream:
            yield decode(raw)

    return decode_all if handler.request_streaming else decode


def check_times(message: Message, place: str = "") -> None:
    """Raise InvalidInput for a time in a message, or in one within it, that is no time between the years 1 and 9999."""
    if not _has_times(message.DESCRIPTOR):
        return
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for index, below in enumerate(value) if field.is_repeated else [(None, value)]:
            here = f"{place}.{field.name}{'' if index is None else f'.{index}'}".lstrip(".")
            if not isinstance(below, Timestamp):
                check_times(below, here)
            elif not (_FIRST_S <= below.seconds <= _LAST_S and 0 <= below.nanos < 10**9):
                found = f"{below.seconds} s and {below.nanos} ns since 1970"
                raise InvalidInput(here, found, "a time in the years 1 to 9999, with 0 to 999999999 ns")


@cache
def _has_times(descriptor: Descriptor) -> bool:
    """Tell whether a message of this type may hold a time; none of ours holds one of its own kind."""
    below = [field.message_type for field in descriptor.fields if field.message_type is not None]
    return Timestamp.DESCRIPTOR in below or any(map(_has_times, below))


def _first_mesh_error(error: Exception) -> MeshError | None:
    """Return the first error for callers among those that tasks side by side have raised; None beside a defect."""
    expected, others = error.split(MeshError) if isinstance(error, ExceptionGroup) else (None, error)
    if expected is None or others is not None:
        return None
    found: BaseException = expected
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found if isinstance(found, MeshError) else None


def _request_id(details: grpc.HandlerCallDetails) -> str:
    for key, value in details.invocation_metadata or ():
        if key == REQUEST_ID and isinstance(value, str) and len(value) <= _LONGEST_REQUEST_ID:
            return value
    return uuid.uuid4().hex


def _status_of(error: MeshError) -> status_pb2.Status:
    """
    Return the error as it crosses: what it says, cut to what a client takes, with its fields beside it.

    A status that is too long for the client's headers would reach it as an error of the transport, without a word.
    """
    message = str(log.censor(str(error)))
    fields = {name: _cut(str(log.censor(value)), _LONGEST_FIELD) for name, value in error.metadata.items()}
    if fields.get("message") == _cut(message, _LONGEST_FIELD):
        del fields["message"]  # the same once more
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=fields)
    detail = any_pb2.Any()
    detail.Pack(info)
    code, length = error.status.value[0], len(message)
    while True:
        status = status_pb2.Status(code=code, message=_cut(message, length), details=[detail])
        # In the headers its text is percent-encoded, and then all of it in base64.
        if (
            length == 0
            or len(quote(status.message)) + len(status.SerializeToString()) * 4 // 3 <= _LONGEST_STATUS_BYTES
        ):
            return status
        length = length * 3 // 4


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}… ({len(text) - length} more characters)"
