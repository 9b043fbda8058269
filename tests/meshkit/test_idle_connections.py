"""Connections that nobody uses."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from feedmesh.dbinit.v1 import database_service_pb2 as pb
from feedmesh.dbinit.v1 import database_service_pb2_grpc as pb_grpc
from meshkit.rpc import server
from meshkit.rpc.client import channel
from meshkit.rpc.server import MeshServer

_IDLE = 300
_CALLS = 50
_NAME = "feedmesh.dbinit.v1.DatabaseService"
# What every client of HTTP/2 begins with: the preface, and settings that set nothing.
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000")


class Databases(pb_grpc.DatabaseServiceServicer):
    """Answer one method."""

    async def Check(self, request: pb.CheckRequest, context: object) -> pb.CheckResponse:
        return pb.CheckResponse()


class CountingLoop(asyncio.SelectorEventLoop):
    """A loop that counts its turns."""

    def __init__(self) -> None:
        super().__init__()
        self.turns = 0

    def _run_once(self) -> None:
        self.turns += 1
        super()._run_once()  # type: ignore[misc]  # it is asyncio's own, and has no stub


@contextmanager
def idle_connections(path: Path, count: int, first: bytes) -> Iterator[list[socket.socket]]:
    """Hold so many connections that say no more than their first bytes."""
    with ExitStack() as stack:
        held = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(count)]
        for each in held:
            each.connect(str(path))
            each.sendall(first)
            each.setblocking(False)
        yield held


@pytest.mark.parametrize("first", [b"", b"P", _PREFACE], ids=["silent", "a byte", "a preface"])
def test_a_call_costs_no_more_beside_idle_connections(run_dir: Path, first: bytes) -> None:
    """The loop turns no more often for a call with three hundred of them than with none."""
    path = run_dir / "s.sock"

    async def turns(loop: CountingLoop) -> int:
        async with channel(path) as connection:
            stub = pb_grpc.DatabaseServiceStub(connection)
            # The first call makes the connection, after all that came before it was accepted.
            await stub.Check(pb.CheckRequest())
            before = loop.turns
            for _ in range(_CALLS):
                await stub.Check(pb.CheckRequest())
            return loop.turns - before

    async def compare(loop: CountingLoop) -> tuple[int, int]:
        mesh = MeshServer("dbinit", path, drain_s=0.1)
        mesh.add(pb_grpc.add_DatabaseServiceServicer_to_server, Databases(), _NAME)  # type: ignore[abstract]
        async with mesh:
            alone = await turns(loop)
            with idle_connections(path, _IDLE, first):
                return alone, await turns(loop)

    loop = CountingLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        alone, beside = runner.run(compare(loop))

    # A turn may take several things at once, so that the numbers differ a little; a turn for each of them would show.
    assert beside < 2 * alone + _CALLS


@pytest.mark.parametrize(
    ("option", "first", "said"),
    [
        ("grpc.server_handshake_timeout_ms", b"", b"HTTP/2 settings before handshake timeout"),
        ("grpc.max_connection_idle_ms", _PREFACE, b"connection idle"),
    ],
    ids=["silent", "idle"],
)
async def test_an_idle_connection_is_closed(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch, option: str, first: bytes, said: bytes
) -> None:
    """Who never speaks, and who has nothing more to say, is told so and let go."""
    assert option in dict(server.OPTIONS)
    monkeypatch.setattr(server, "OPTIONS", tuple({**dict(server.OPTIONS), option: 200}.items()))
    path = run_dir / "s.sock"
    loop = asyncio.get_running_loop()
    async with MeshServer("dbinit", path, drain_s=0.1), asyncio.timeout(60):
        with idle_connections(path, 20, first) as held:
            for each in held:
                heard = b""
                while piece := await loop.sock_recv(each, 4096):
                    heard += piece

                assert heard.endswith(said)
