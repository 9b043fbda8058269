"""Ask a service once whether it is ready: a connection, a status line, a health answer, a login."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from meshkit.rpc.server import LIVENESS
from services.supervisor.plan.probe_spec import AnyProbe, GrpcProbe, HttpProbe, PostgresProbe, TcpProbe

_READY_STATUS = "200"
_CHANNEL_OPTIONS = (
    ("grpc.default_authority", "localhost"),
    # A probe is its own retry; the channel shall try again whenever it is asked.
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 100),
)

Check = Callable[[], Awaitable[None]]
"""Asks once: returns if the service is ready, raises NotReady or OSError if it is not."""


class NotReady(Exception):
    """The service does not answer as it should; the text says how."""


@asynccontextmanager
async def opened(probe: AnyProbe) -> AsyncIterator[Check]:
    """Give a way to ask again and again; gRPC is asked on one connection, at a quarter of a new one's cost."""
    match probe:
        case GrpcProbe():
            async with grpc.aio.insecure_channel(f"unix:{probe.socket}", options=_CHANNEL_OPTIONS) as channel:
                stub: Any = health_pb2_grpc.HealthStub(channel)
                yield lambda: _ask_health(probe, stub)
        case TcpProbe():
            yield lambda: _connect(probe)
        case HttpProbe():
            yield lambda: _get(probe)
        case PostgresProbe():
            yield lambda: _log_in(probe)


async def checkpoint(probe: PostgresProbe) -> None:
    """Have the server write out what it holds; raises NotReady or OSError."""
    try:
        await _execute(probe, "CHECKPOINT")
    except asyncpg.PostgresError as error:
        raise NotReady(f"PostgreSQL: {error}") from error


async def _connect(probe: TcpProbe) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", probe.port)
    await _close(writer)


async def _get(probe: HttpProbe) -> None:
    # Only the status line is read, so a client library, with its 8 MB in the supervisor's memory, is not needed.
    reader, writer = await asyncio.open_connection("127.0.0.1", probe.port)
    try:
        request = f"GET {probe.path} HTTP/1.1\r\nHost: 127.0.0.1:{probe.port}\r\nConnection: close\r\n\r\n"
        writer.write(request.encode())
        line = await reader.readline()
    finally:
        await _close(writer)
    words = line.decode("latin-1").split()
    answered = len(words) >= 2 and words[0].startswith("HTTP/")
    if not answered or not (probe.any_answer or words[1] == _READY_STATUS):
        found = line.decode("latin-1").strip()
        raise NotReady(f"GET {probe.path} answered {found!r}, wanted {_READY_STATUS}")


async def _ask_health(probe: GrpcProbe, stub: Any) -> None:
    if not probe.socket.exists():
        raise NotReady(f"{probe.socket.name} does not exist yet")
    try:
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=LIVENESS if probe.any_answer else ""))
    except grpc.aio.AioRpcError as error:
        if probe.any_answer and error.code() is not grpc.StatusCode.UNAVAILABLE:
            return
        raise NotReady(f"{probe.socket.name}: {error.code().name} {error.details()}") from error
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        name = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
        raise NotReady(f"{probe.socket.name} says {name}{' of its liveness' if probe.any_answer else ''}")


async def _log_in(probe: PostgresProbe) -> None:
    try:
        await _execute(probe, "SELECT 1")
    except asyncpg.PostgresError as error:
        if not probe.any_answer:
            raise NotReady(f"PostgreSQL: {error}") from error


async def _execute(probe: PostgresProbe, statement: str) -> None:
    password = probe.password_file.read_text().strip()
    try:
        connection = await asyncpg.connect(
            host="127.0.0.1",
            port=probe.port,
            user=probe.user,
            password=password,
            database=probe.database,
            ssl=False,
            server_settings={"application_name": "feedmesh-supervisor"},
        )
        try:
            await connection.execute(statement)
        finally:
            await connection.close()
    except asyncpg.InterfaceError as error:
        raise NotReady(f"PostgreSQL: {error}") from error


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):  # the answer has been read; how the peer ends the connection does not matter
        await writer.wait_closed()
