"""The gRPC server of the mesh over a real Unix socket."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from feedmesh.dbinit.v1 import database_service_pb2 as pb
from feedmesh.dbinit.v1 import database_service_pb2_grpc as pb_grpc
from feedmesh.metrics.v1 import metrics_page_service_pb2 as page_pb
from feedmesh.metrics.v1 import metrics_page_service_pb2_grpc as page_grpc
from feedmesh.oracle.v1 import oracle_service_pb2 as oracle_pb
from feedmesh.oracle.v1 import oracle_service_pb2_grpc as oracle_grpc
from meshkit.errors import FailedPrecondition, InvalidInput, MeshError, NotFound
from meshkit.paths import LONGEST_SOCKET_PATH
from meshkit.rpc.client import channel, error_info
from meshkit.rpc.server import MeshServer, TcpListener

NAME = "feedmesh.dbinit.v1.DatabaseService"
ORACLE = "feedmesh.oracle.v1.OracleService"


class Databases(pb_grpc.DatabaseServiceServicer):
    """A servicer whose every verb shows another behaviour of the server."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.entered = asyncio.Event()
        self.error: Exception = InvalidInput("nodes", 3, "5 to 32")

    async def Bootstrap(self, request: pb.BootstrapRequest, context: object) -> pb.BootstrapResponse:
        raise self.error

    async def Provision(self, request: pb.ProvisionRequest, context: object) -> pb.ProvisionResponse:
        raise ZeroDivisionError("a defect")

    async def ListDatabases(self, request: pb.ListDatabasesRequest, context: object) -> pb.ListDatabasesResponse:
        return pb.ListDatabasesResponse(databases=[pb.Database(name="chainlink_node_1", node=1)])

    async def Check(self, request: pb.CheckRequest, context: object) -> pb.CheckResponse:
        self.entered.set()
        await self.release.wait()
        return pb.CheckResponse(isolated=True)

    async def GetConnection(self, request: pb.GetConnectionRequest, context: object) -> pb.GetConnectionResponse:
        return pb.GetConnectionResponse(port=5432)


class Rounds(oracle_grpc.OracleServiceServicer):
    """A servicer with a stream that never ends."""

    async def WatchRounds(
        self, request: oracle_pb.WatchRoundsRequest, context: object
    ) -> AsyncIterator[oracle_pb.WatchRoundsResponse]:
        yield oracle_pb.WatchRoundsResponse(round=1)
        await asyncio.Event().wait()


@pytest.fixture(name="servicer")
def _servicer() -> Databases:
    return Databases()


@pytest.fixture(name="socket")
async def _socket(run_dir: Path, servicer: Databases) -> AsyncIterator[Path]:
    server = MeshServer("dbinit", run_dir / "dbinit.sock")
    server.add(pb_grpc.add_DatabaseServiceServicer_to_server, servicer, NAME)
    async with server:
        yield run_dir / "dbinit.sock"


async def test_answers(socket: Path) -> None:
    """A call over the Unix socket is answered."""
    async with channel(socket) as connection:
        response = await pb_grpc.DatabaseServiceStub(connection).ListDatabases(pb.ListDatabasesRequest())

    assert [database.name for database in response.databases] == ["chainlink_node_1"]


async def test_domain_error_carries_its_fields(socket: Path) -> None:
    """A domain error arrives with its status, its text and its fields."""
    async with channel(socket) as connection:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await pb_grpc.DatabaseServiceStub(connection).Bootstrap(pb.BootstrapRequest())

    info = error_info(caught.value)
    assert info is not None
    assert (caught.value.code(), caught.value.details(), info.reason, dict(info.metadata)) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "nodes: found 3, allowed: 5 to 32",
        "INVALID_INPUT",
        {"field": "nodes", "found": "3", "allowed": "5 to 32"},
    )


_GARBAGE = [f"{NAME}/GetConnection", "grpc.health.v1.Health/Check", "grpc.health.v1.Health/Watch"]


@pytest.mark.parametrize("name", _GARBAGE)
async def test_bytes_that_are_no_message_are_a_wrong_argument(socket: Path, name: str) -> None:
    """Also of the services that every server has, and of streams; the next call is answered."""
    async with channel(socket) as connection:
        kind: Any = connection.unary_stream if name.endswith("Watch") else connection.unary_unary
        started = kind(f"/{name}")(b"\xff\xff")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await (started.read() if name.endswith("Watch") else started)
        await pb_grpc.DatabaseServiceStub(connection).ListDatabases(pb.ListDatabasesRequest())
    info = error_info(caught.value)

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert info is not None
    assert ("request", "2 bytes") == (info.metadata["field"], info.metadata["found"].strip("'"))


@pytest.mark.parametrize(
    "error",
    [FailedPrecondition("x" * 50_000), FailedPrecondition("€" * 50_000), InvalidInput("a", "b" * 50_000, "c" * 50_000)],
    ids=["ascii", "unicode", "fields"],
)
async def test_an_error_of_any_length_arrives(socket: Path, servicer: Databases, error: MeshError) -> None:
    """A text beyond what a client takes is cut, so that status and reason arrive at clients of any library."""
    servicer.error = error
    async with grpc.aio.insecure_channel(f"unix:{socket}", (("grpc.default_authority", "localhost"),)) as connection:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await pb_grpc.DatabaseServiceStub(connection).Bootstrap(pb.BootstrapRequest())
    info = error_info(caught.value)

    assert error.status is caught.value.code()
    assert (caught.value.details() or "").endswith(" more characters)")
    assert info is not None
    assert error.reason == info.reason


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ExceptionGroup("tasks", [InvalidInput("a", 1, "2")]), grpc.StatusCode.INVALID_ARGUMENT),
        (ExceptionGroup("tasks", [ExceptionGroup("more", [NotFound("feed", "x")])]), grpc.StatusCode.NOT_FOUND),
        (ExceptionGroup("tasks", [InvalidInput("a", 1, "2"), KeyError("a defect")]), grpc.StatusCode.INTERNAL),
    ],
    ids=["one", "nested", "beside a defect"],
)
async def test_errors_of_tasks_side_by_side(
    socket: Path, servicer: Databases, error: Exception, code: grpc.StatusCode
) -> None:
    """What a group of tasks raised is answered as if it had been raised alone; never as UNKNOWN."""
    servicer.error = error
    async with channel(socket) as connection:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await pb_grpc.DatabaseServiceStub(connection).Bootstrap(pb.BootstrapRequest())

    assert code is caught.value.code()


async def test_defect_hides_its_details(socket: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An unexpected exception is answered INTERNAL without its text, which is in the log."""
    with caplog.at_level(logging.ERROR):
        async with channel(socket) as connection:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await pb_grpc.DatabaseServiceStub(connection).Provision(pb.ProvisionRequest())

    assert caught.value.code() == grpc.StatusCode.INTERNAL
    assert "a defect" not in (caught.value.details() or "")


async def test_drain_lets_running_calls_end(run_dir: Path, servicer: Databases) -> None:
    """Stopping waits for a call under way, and the socket is gone afterwards."""
    server = MeshServer("dbinit", run_dir / "d.sock")
    server.add(pb_grpc.add_DatabaseServiceServicer_to_server, servicer, NAME)
    await server.start()
    async with channel(run_dir / "d.sock") as connection:
        call = asyncio.ensure_future(pb_grpc.DatabaseServiceStub(connection).Check(pb.CheckRequest()))
        await servicer.entered.wait()
        stopping = asyncio.create_task(server.stop())
        servicer.release.set()
        response = await call
        await stopping

    assert response.isolated
    assert list(run_dir.iterdir()) == []


async def test_stop_ends_streams(run_dir: Path) -> None:
    """A stream that would last for ever ends with UNAVAILABLE as soon as the server stops."""
    server = MeshServer("oracle", run_dir / "w.sock")
    server.add(oracle_grpc.add_OracleServiceServicer_to_server, Rounds(), ORACLE)  # type: ignore[abstract]
    await server.start()
    async with channel(run_dir / "w.sock") as connection:
        stream = oracle_grpc.OracleServiceStub(connection).WatchRounds(oracle_pb.WatchRoundsRequest())
        assert oracle_pb.WatchRoundsResponse(round=1) == await stream.read()
        async with asyncio.timeout(1):
            await server.stop()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stream.read()

    assert (grpc.StatusCode.UNAVAILABLE, "the service is stopping") == (caught.value.code(), caught.value.details())


async def test_health_follows_set_serving(run_dir: Path, servicer: Databases) -> None:
    """A server started as not serving says so by health until told otherwise."""
    server = MeshServer("dbinit", run_dir / "h.sock")
    server.add(pb_grpc.add_DatabaseServiceServicer_to_server, servicer, NAME)
    await server.start(serving=False)
    async with channel(run_dir / "h.sock") as connection:
        stub = health_pb2_grpc.HealthStub(connection)
        before = await stub.Check(health_pb2.HealthCheckRequest(service=NAME), timeout=5)  # type: ignore[attr-defined]  # the stubs lack it
        await server.set_serving(NAME, True)
        after = await stub.Check(health_pb2.HealthCheckRequest(service=NAME), timeout=5)  # type: ignore[attr-defined]  # the stubs lack it
    await server.stop()

    states = health_pb2.HealthCheckResponse
    assert (before.status, after.status) == (states.NOT_SERVING, states.SERVING)


async def test_signal_ends_serving(run_dir: Path, servicer: Databases) -> None:
    """SIGTERM drains the server and lets serve_until_signal return."""
    server = MeshServer("dbinit", run_dir / "s.sock")
    server.add(pb_grpc.add_DatabaseServiceServicer_to_server, servicer, NAME)
    await server.start()
    serving = asyncio.create_task(server.serve_until_signal())
    await asyncio.sleep(0)
    signal.raise_signal(signal.SIGTERM)

    async with asyncio.timeout(5):
        await serving
    assert not (run_dir / "s.sock").exists()


def test_long_socket_path_is_refused() -> None:
    """A socket path the kernel cannot take is refused by name, before anything is bound."""
    with pytest.raises(InvalidInput, match="socket"):
        MeshServer("x", Path("/" + "a" * LONGEST_SOCKET_PATH))


def test_only_loopback_is_allowed(run_dir: Path) -> None:
    """A TCP address that other machines can reach is refused."""
    with pytest.raises(InvalidInput, match="loopback"):
        MeshServer("x", run_dir / "x.sock", tcp=TcpListener("0.0.0.0:7000"))


async def test_unbindable_address_is_named(run_dir: Path) -> None:
    """A TCP port in use ends the start with an error that names the address."""
    holder = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = holder.sockets[0].getsockname()[1]
    server = MeshServer("x", run_dir / "x.sock", tcp=TcpListener(f"127.0.0.1:{port}"))

    with pytest.raises(FailedPrecondition, match=str(port)):
        await server.start()
    holder.close()


async def test_every_server_has_a_page_of_its_metrics(socket: Path) -> None:
    """A process without an HTTP port gives its metrics all the same, calls of a moment ago among them."""
    async with channel(socket) as connection:
        await pb_grpc.DatabaseServiceStub(connection).ListDatabases(pb.ListDatabasesRequest())
        answer = await page_grpc.MetricsPageServiceStub(connection).GetMetricsPage(page_pb.GetMetricsPageRequest())

    labels = f'code="OK",method="ListDatabases",service="{NAME}"'
    assert f"grpc_server_handled_total{{{labels}}} 1.0" in answer.page.decode().splitlines()
