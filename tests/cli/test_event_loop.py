"""What a person reads when a call fails: who gave no answer, or what the one that answered said."""

import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from cli import event_loop
from cli.errors import CliError
from cli.sockets import socket_of
from feedmesh.operator.v1 import operator_service_pb2 as pb
from feedmesh.operator.v1 import operator_service_pb2_grpc as rpc
from meshkit.errors import Unavailable
from meshkit.paths import RunDir
from meshkit.rpc.client import channel
from meshkit.rpc.server import MeshServer


class _Operator(rpc.OperatorServiceServicer):
    """Say of the chain that it is away."""

    async def ListFeeds(self, request: Any, context: Any) -> pb.ListFeedsResponse:
        raise Unavailable("the chain gives no answer: http://127.0.0.1:8545: connection refused")


@asynccontextmanager
async def operator(run_dir: Path) -> AsyncIterator[None]:
    """Run an operator whose chain is away."""
    server = MeshServer("operator", RunDir(run_dir).socket("operator"), drain_s=0)
    server.add(rpc.add_OperatorServiceServicer_to_server, _Operator(), "feedmesh.operator.v1.OperatorService")  # type: ignore[abstract]  # only the stubs call it abstract
    async with server:
        yield


@pytest.fixture(name="supervisor")
def _supervisor(run_dir: Path) -> Callable[[], socket.socket]:
    """Give what makes somebody listen where the supervisor does."""

    def listen() -> socket.socket:
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(RunDir(run_dir).socket("supervisor")))
        listening.listen()
        return listening

    return listen


async def failure(call: Coroutine[Any, Any, object]) -> str:
    """Return a failed call in words, as the command ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await call
    return str(CliError(*event_loop.explain(failed.value)))


async def ask(path: Path, timeout_s: float = 30) -> pb.ListFeedsResponse:
    """Ask an operator for the feeds."""
    async with channel(path) as connection:
        return await rpc.OperatorServiceStub(connection).ListFeeds(pb.ListFeedsRequest(), timeout=timeout_s)


async def test_a_chain_that_is_away_is_named(run_dir: Path) -> None:
    """What the server says of the chain is what is read, and nothing of a mesh that might not run."""
    async with operator(run_dir):
        said = await failure(ask(RunDir(run_dir).socket("operator")))

    assert "the chain gives no answer: http://127.0.0.1:8545: connection refused [UNAVAILABLE]" == said


async def test_a_mesh_that_does_not_run_is_told_as_that(run_dir: Path) -> None:
    """Where the socket is left and nobody answers, not even a supervisor, the mesh does not run."""
    path = RunDir(run_dir).socket("operator")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))

    said = await failure(ask(path))

    assert said.startswith("no answer from the mesh: ")
    assert str(path) in said
    assert "is it running?" in said


async def test_a_service_that_does_not_answer_is_named(run_dir: Path, supervisor: Callable[[], socket.socket]) -> None:
    """While the supervisor answers, it is the service that does not, and the mesh is not said to be away."""
    path = RunDir(run_dir).socket("operator")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with supervisor():
        said = await failure(ask(path))

    assert said.startswith("no answer from operator: ")
    assert "is it running?" not in said
    assert "`feedmesh status`" in said


async def test_a_service_that_hangs_is_named(run_dir: Path, supervisor: Callable[[], socket.socket]) -> None:
    """A server that takes the connection and says nothing is named too."""
    path = RunDir(run_dir).socket("operator")
    with socket.socket(socket.AF_UNIX) as hanging, supervisor():
        hanging.bind(str(path))
        hanging.listen()
        said = await failure(ask(path, timeout_s=0.2))

    assert said.startswith("no answer")
    assert "no answer from the mesh" not in said


def test_a_stopped_service_is_not_a_mesh_that_is_away(run_dir: Path, supervisor: Callable[[], socket.socket]) -> None:
    """Without its socket a service is said not to answer while a supervisor does; without that no mesh runs here."""
    with pytest.raises(CliError, match=r"no mesh runs here: .*operator.sock does not exist"):
        socket_of(run_dir, "operator")
    with supervisor(), pytest.raises(CliError, match=r"no answer from operator: .* \(the mesh runs: "):
        socket_of(run_dir, "operator")
