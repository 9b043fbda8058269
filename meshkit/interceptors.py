"""
The interceptors of every server: request id, log and metrics, error mapping.

They are one interceptor because they share one try block: the status that the mapping decides is what is counted and
logged. A domain error becomes its class's status with `google.rpc.ErrorInfo`; any other exception is a defect of ours,
logged with its traceback and answered INTERNAL without details.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import grpc
import grpc.aio
import structlog
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from meshkit import log
from meshkit.errors import DOMAIN, MeshError, Unavailable
from meshkit.metrics import Registry

REQUEST_ID = "x-request-id"
_LONGEST_REQUEST_ID = 64
# Probes call this several times a second; their calls would drown the log.
_QUIET = "/grpc.health.v1.Health/"

Handler = Callable[[Any, "grpc.aio.ServicerContext[Any, Any]"], Any]


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Give each call a request id, map its errors, count and log it."""

    def __init__(self, registry: Registry) -> None:
        self._handled = registry.counter("grpc_server_handled_total")
        self._seconds = registry.histogram("grpc_server_handling_seconds")
        self._log = log.get_logger("meshkit.grpc")
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
        if handler.response_streaming:
            inner = handler.stream_stream if handler.request_streaming else handler.unary_stream
            wrapped = self._streaming(cast(Handler, inner), method, request_id)
            factory: Any = (
                grpc.stream_stream_rpc_method_handler
                if handler.request_streaming
                else grpc.unary_stream_rpc_method_handler
            )
        else:
            inner = handler.stream_unary if handler.request_streaming else handler.unary_unary
            wrapped = self._unary(cast(Handler, inner), method, request_id)
            factory = (
                grpc.stream_unary_rpc_method_handler
                if handler.request_streaming
                else grpc.unary_unary_rpc_method_handler
            )
        return cast(
            "grpc.RpcMethodHandler[Any, Any]",
            factory(
                wrapped,
                request_deserializer=handler.request_deserializer,
                response_serializer=handler.response_serializer,
            ),
        )

    def _unary(self, inner: Handler, method: str, request_id: str) -> Handler:
        async def call(request: Any, context: "grpc.aio.ServicerContext[Any, Any]") -> Any:
            async with self._observed(method, request_id, context):
                return await inner(request, context)

        return call

    def _streaming(self, inner: Handler, method: str, request_id: str) -> Handler:
        async def call(request: Any, context: "grpc.aio.ServicerContext[Any, Any]") -> AsyncIterator[Any]:
            async with self._observed(method, request_id, context), self._endable():
                # Some generated services (reflection) write to the context instead of yielding.
                produced = inner(request, context)
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
            yield
        except MeshError as error:
            code = error.status
            await context.abort_with_status(rpc_status.to_status(_status_of(error)))
        except grpc.aio.AbortError:
            code = grpc.StatusCode(context.code())
            raise
        except (GeneratorExit, BaseExceptionGroup):
            raise
        except Exception:
            code = grpc.StatusCode.INTERNAL
            self._log.exception("call_crashed", method=method)
            await context.abort(code, "internal error; the service's log has the traceback")
        finally:
            seconds = time.monotonic() - started
            service, _, name = method.lstrip("/").partition("/")
            self._handled.labels(service, name, code.name).inc()
            self._seconds.labels(service, name).observe(seconds)
            if not method.startswith(_QUIET):
                emit = self._log.debug if code is grpc.StatusCode.OK else self._log.info
                emit("call", method=method, code=code.name, duration_ms=round(seconds * 1000, 3))


def _request_id(details: grpc.HandlerCallDetails) -> str:
    for key, value in details.invocation_metadata or ():
        if key == REQUEST_ID and isinstance(value, str) and len(value) <= _LONGEST_REQUEST_ID:
            return value
    return uuid.uuid4().hex


def _status_of(error: MeshError) -> status_pb2.Status:
    metadata = {name: str(log.censor(value)) for name, value in error.metadata.items()}
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=metadata)
    detail = any_pb2.Any()
    detail.Pack(info)
    code = error.status.value[0]
    return status_pb2.Status(code=code, message=str(log.censor(str(error))), details=[detail])
