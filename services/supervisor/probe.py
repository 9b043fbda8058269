"""Readiness: how a service is asked whether it does its work, and how often."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import asyncpg
import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from meshkit.clock import Clock

_CHANNEL_OPTIONS = (
    ("grpc.default_authority", "localhost"),
    # A probe is its own retry; the channel shall try again whenever it is asked.
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 100),
)


class NotReady(Exception):
    """The service does not answer as it should; the text says how."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """
    How often to ask, and how many answers in a row change one's mind.

    Until the first success the period grows from `first_period_s` by half each time, up to `starting_period_s`;
    afterwards it is `period_s`. An answer later than `timeout_s` is a failure.
    """

    first_period_s: float = 0.05
    starting_period_s: float = 0.25
    period_s: float = 1.0
    timeout_s: float = 2.0
    success_threshold: int = 1
    failure_threshold: int = 3


DEFAULT_SCHEDULE = Schedule()


class Probe(Protocol):
    """A way to ask one service."""

    async def check(self) -> None:
        """Return if the service is ready; raises NotReady or OSError."""
        ...


@dataclass(frozen=True, slots=True)
class TcpProbe:
    """Ready when a connection to 127.0.0.1 is accepted."""

    port: int

    async def check(self) -> None:
        """Connect and close."""
        _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        await _close(writer)


@dataclass(frozen=True, slots=True)
class HttpProbe:
    """
    Ready when GET on 127.0.0.1 answers with the status.

    Only the status line is read, so a client library, with its 8 MB in the supervisor's memory, is not needed.
    """

    port: int
    path: str
    status: int = 200

    async def check(self) -> None:
        """Ask once on a connection of its own."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            request = f"GET {self.path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nConnection: close\r\n\r\n"
            writer.write(request.encode())
            line = await reader.readline()
        finally:
            await _close(writer)
        words = line.decode("latin-1").split()
        if len(words) < 2 or not words[0].startswith("HTTP/") or words[1] != str(self.status):
            raise NotReady(f"GET {self.path} answered {line.decode('latin-1').strip()!r}, wanted {self.status}")


@dataclass(frozen=True, slots=True)
class GrpcProbe:
    """Ready when the health service on a Unix socket says SERVING for the name, empty for the server as a whole."""

    socket: Path
    service: str = ""

    async def check(self) -> None:
        """Ask once."""
        if not self.socket.exists():
            raise NotReady(f"{self.socket.name} does not exist yet")
        async with grpc.aio.insecure_channel(f"unix:{self.socket}", options=_CHANNEL_OPTIONS) as channel:
            stub: Any = health_pb2_grpc.HealthStub(channel)
            try:
                answer = await stub.Check(health_pb2.HealthCheckRequest(service=self.service))
            except grpc.aio.AioRpcError as error:
                raise NotReady(f"{self.socket.name}: {error.code().name} {error.details()}") from error
        if answer.status != health_pb2.HealthCheckResponse.SERVING:
            name = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
            raise NotReady(f"{self.socket.name} says {name}")


@dataclass(frozen=True, slots=True)
class PostgresProbe:
    """
    Ready when the server lets a user log in and answers a query.

    The password is read from its file at each look, since the file appears only when the cluster is made.
    """

    port: int
    user: str
    database: str
    password_file: Path

    async def check(self) -> None:
        """Log in, ask, leave."""
        password = self.password_file.read_text().strip()
        try:
            connection = await asyncpg.connect(
                host="127.0.0.1",
                port=self.port,
                user=self.user,
                password=password,
                database=self.database,
                ssl=False,
                server_settings={"application_name": "feedmesh-supervisor"},
            )
            try:
                await connection.execute("SELECT 1")
            finally:
                await connection.close()
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise NotReady(f"PostgreSQL: {error}") from error


async def watch(probe: Probe, schedule: Schedule, clock: Clock, report: Callable[[bool, str], None]) -> None:
    """Ask for ever; report each change between ready and not ready, the first time only when it becomes ready."""
    ready = False
    streak = 0
    period_s = schedule.first_period_s
    ever_ready = False
    while True:
        problem = await _look(probe, schedule.timeout_s)
        agrees = (problem is None) == ready
        streak = 0 if agrees else streak + 1
        if streak >= (schedule.failure_threshold if ready else schedule.success_threshold):
            ready, streak = not ready, 0
            ever_ready = ever_ready or ready
            report(ready, problem or "")
        await clock.sleep(schedule.period_s if ever_ready else period_s)
        period_s = min(period_s * 1.5, schedule.starting_period_s)


async def _look(probe: Probe, timeout_s: float) -> str | None:
    """Return None if ready, else the problem in words."""
    try:
        async with asyncio.timeout(timeout_s):
            await probe.check()
    except TimeoutError:
        return f"no answer within {timeout_s:g} s"
    except (NotReady, OSError, ValueError) as error:
        return str(error)
    return None


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):  # the answer has been read; how the peer ends the connection does not matter
        await writer.wait_closed()
