"""Readiness against real servers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from meshkit.rpc.server import MeshServer
from services.supervisor.plan.probe_spec import AnyProbe, GrpcProbe, HttpProbe, PostgresProbe, TcpProbe
from services.supervisor.process.probes import NotReady, opened


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[int]:
    """Serve one answer to everybody on a free port."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def ask(probe: AnyProbe) -> None:
    """Ask once."""
    async with opened(probe) as check:
        await check()


async def test_tcp() -> None:
    """A listening port is ready, a closed one refuses."""
    async with answering(b"") as port:
        await ask(TcpProbe(port))

    with pytest.raises(ConnectionRefusedError):
        await ask(TcpProbe(port))


@pytest.mark.parametrize(
    ("answer", "ready"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", True),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", False),
        (b"200 is not HTTP\r\n\r\n", False),
        (b"", False),
    ],
)
async def test_http(answer: bytes, ready: bool) -> None:
    """Only an HTTP answer with the wanted status is ready."""
    async with answering(answer) as port:
        if ready:
            await ask(HttpProbe(port, "/readyz"))
        else:
            with pytest.raises(NotReady, match="/readyz"):
                await ask(HttpProbe(port, "/readyz"))


async def test_grpc(run_dir: Path) -> None:
    """The health service decides, for the process's life its own word; a missing or stale socket is not ready."""
    path = run_dir / "s.sock"
    with pytest.raises(NotReady, match="does not exist"):
        await ask(GrpcProbe(path))
    server = MeshServer("supervisor", path)
    await server.start()
    await ask(GrpcProbe(path))
    await server.set_serving("", False)
    with pytest.raises(NotReady, match="NOT_SERVING"):
        await ask(GrpcProbe(path))
    await ask(GrpcProbe(path, any_answer=True))
    await server.set_alive(False)
    with pytest.raises(NotReady, match="NOT_SERVING of its liveness"):
        await ask(GrpcProbe(path, any_answer=True))
    await server.set_alive(True)
    await ask(GrpcProbe(path))
    await ask(GrpcProbe(path, any_answer=True))
    await server.stop()
    path.touch()
    with pytest.raises(NotReady, match="UNAVAILABLE"):
        await ask(GrpcProbe(path))


async def test_postgres_without_a_cluster(tmp_path: Path) -> None:
    """Before there is a password file or a server, the probe fails as not ready does."""
    probe = PostgresProbe(1, "feedmesh", "postgres", tmp_path / "password")
    with pytest.raises(FileNotFoundError):
        await ask(probe)
    (tmp_path / "password").write_text("secret")
    with pytest.raises(OSError, match="1"):
        await ask(probe)
