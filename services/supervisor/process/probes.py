"""Readiness and liveness: how a service is asked whether it does its work, and how often."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import asyncpg
import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from meshkit.clock import Clock
from services.supervisor.process import run_program

_CHANNEL_OPTIONS = (
    ("grpc.default_authority", "localhost"),
    # A probe is its own retry; the channel shall try again whenever it is asked.
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 100),
)


SLOW_START: Final = 20
"""With the default schedule that is some five seconds."""


class NotReady(Exception):
    """The service does not answer as it should; the text says how."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """
    How often to ask, and how many answers in a row change one's mind.

    The first look is after `initial_delay_s`. Until the first success the period grows from `first_period_s` by half
    each time, up to `starting_period_s`; afterwards it is `period_s`. An answer later than `timeout_s` is a failure.
    """

    initial_delay_s: float = 0.0
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
    Ready when GET on 127.0.0.1 answers with the status, or with any.

    Only the status line is read, so a client library, with its 8 MB in the supervisor's memory, is not needed.
    """

    port: int
    path: str
    status: int = 200
    any_answer: bool = False

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
        answered = len(words) >= 2 and words[0].startswith("HTTP/")
        if not answered or not (self.any_answer or words[1] == str(self.status)):
            raise NotReady(f"GET {self.path} answered {line.decode('latin-1').strip()!r}, wanted {self.status}")


@dataclass(frozen=True, slots=True)
class GrpcProbe:
    """
    Ready when the health service on a Unix socket says SERVING for the name, empty for the server as a whole.

    With `any_answer` it is enough that the server says something.
    """

    socket: Path
    service: str = ""
    any_answer: bool = False

    async def check(self) -> None:
        """Ask once, on a connection of its own."""
        async with self.connected() as check:
            await check()

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """Give a way to ask again and again on one connection, which costs a quarter of a new one each time."""
        async with grpc.aio.insecure_channel(f"unix:{self.socket}", options=_CHANNEL_OPTIONS) as channel:
            stub: Any = health_pb2_grpc.HealthStub(channel)
            yield lambda: self._ask(stub)

    async def _ask(self, stub: Any) -> None:
        if not self.socket.exists():
            raise NotReady(f"{self.socket.name} does not exist yet")
        try:
            answer = await stub.Check(health_pb2.HealthCheckRequest(service=self.service))
        except grpc.aio.AioRpcError as error:
            if self.any_answer and error.code() is not grpc.StatusCode.UNAVAILABLE:
                return
            raise NotReady(f"{self.socket.name}: {error.code().name} {error.details()}") from error
        if self.any_answer:
            return
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
    any_answer: bool = False

    async def check(self) -> None:
        """Log in, ask, leave; with `any_answer` a refusal by the server is an answer too."""
        try:
            await self._execute("SELECT 1")
        except asyncpg.PostgresError as error:
            if not self.any_answer:
                raise NotReady(f"PostgreSQL: {error}") from error

    async def checkpoint(self) -> None:
        """Have the server write out what it holds."""
        try:
            await self._execute("CHECKPOINT")
        except asyncpg.PostgresError as error:
            raise NotReady(f"PostgreSQL: {error}") from error

    async def _execute(self, statement: str) -> None:
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
                await connection.execute(statement)
            finally:
                await connection.close()
        except asyncpg.InterfaceError as error:
            raise NotReady(f"PostgreSQL: {error}") from error


@dataclass(frozen=True, slots=True)
class ExecProbe:
    """Ready when a command ends with exit code 0; what it wrote last says why it is not."""

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)

    async def check(self) -> None:
        """Run it once; it is killed with its group when the time is up."""
        outcome = await run_program.run(self.command, self.environment)
        if outcome.code != 0:
            words = (outcome.errors or outcome.output).decode(errors="replace").strip().splitlines()
            raise NotReady(f"{self.command[0]} ended with {outcome.code}{': ' if words else ''}{''.join(words[-1:])}")


AnyProbe = TcpProbe | HttpProbe | GrpcProbe | PostgresProbe | ExecProbe
"""The probes that a plan may name."""


def in_words(probe: AnyProbe) -> str:
    """Return what is asked, for people."""
    match probe:
        case TcpProbe():
            return f"TCP on port {probe.port}"
        case HttpProbe():
            return f"GET {probe.path} on port {probe.port}"
        case GrpcProbe():
            return f"gRPC health on {probe.socket.name}"
        case PostgresProbe():
            return f"PostgreSQL login on port {probe.port}"
        case ExecProbe():
            return " ".join(probe.command)


async def watch(
    probe: Probe,
    schedule: Schedule,
    clock: Clock,
    report: Callable[[bool, str], None],
    explain: Callable[[str], None] = lambda _: None,
) -> None:
    """
    Ask for ever; report each change between ready and not ready.

    Failures before the first success count for nothing, however long a service takes to start; but after `SLOW_START`
    of them in a row `explain` is told what is wrong, and again whenever it is something else.
    """
    if schedule.initial_delay_s:
        await clock.sleep(schedule.initial_delay_s)
    if isinstance(probe, GrpcProbe):
        async with probe.connected() as check:
            await _watch(check, schedule, clock, report, explain)
    else:
        await _watch(probe.check, schedule, clock, report, explain)


async def _watch(
    check: Callable[[], Awaitable[None]],
    schedule: Schedule,
    clock: Clock,
    report: Callable[[bool, str], None],
    explain: Callable[[str], None],
) -> None:
    ready = False
    streak = failures = 0
    told = ""
    period_s = schedule.first_period_s
    ever_ready = False
    while True:
        problem = await _look(check, schedule.timeout_s)
        agrees = (problem is None) == ready
        streak = 0 if agrees else streak + 1
        if streak >= (schedule.failure_threshold if ready else schedule.success_threshold):
            ready, streak = not ready, 0
            ever_ready = ever_ready or ready
            report(ready, problem or "")
        if not ever_ready and problem is not None:
            failures += 1
            if failures >= SLOW_START and problem != told:
                told = problem
                explain(problem)
        await clock.sleep(schedule.period_s if ever_ready else period_s)
        period_s = min(period_s * 1.5, schedule.starting_period_s)


async def _look(check: Callable[[], Awaitable[None]], timeout_s: float) -> str | None:
    """Return None if ready, else the problem in words."""
    try:
        async with asyncio.timeout(timeout_s):
            await check()
    except TimeoutError:
        return f"no answer within {timeout_s:g} s"
    except (NotReady, OSError, ValueError) as error:
        return str(error)
    return None


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):  # the answer has been read; how the peer ends the connection does not matter
        await writer.wait_closed()
