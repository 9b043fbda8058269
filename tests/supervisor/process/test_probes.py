"""Readiness against real servers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from meshkit.clock import ManualClock
from meshkit.server import MeshServer
from services.supervisor.process.probes import GrpcProbe, HttpProbe, NotReady, PostgresProbe, Schedule, TcpProbe, watch


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


async def test_tcp() -> None:
    """A listening port is ready, a closed one refuses."""
    async with answering(b"") as port:
        await TcpProbe(port).check()

    with pytest.raises(ConnectionRefusedError):
        await TcpProbe(port).check()


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
            await HttpProbe(port, "/readyz").check()
        else:
            with pytest.raises(NotReady, match="/readyz"):
                await HttpProbe(port, "/readyz").check()


async def test_grpc(run_dir: Path) -> None:
    """The health service decides; a missing or stale socket is not ready."""
    path = run_dir / "s.sock"
    with pytest.raises(NotReady, match="does not exist"):
        await GrpcProbe(path).check()
    server = MeshServer("supervisor", path)
    await server.start()
    await GrpcProbe(path).check()
    await server.set_serving("", False)
    with pytest.raises(NotReady, match="NOT_SERVING"):
        await GrpcProbe(path).check()
    with pytest.raises(NotReady, match="NOT_FOUND"):
        await GrpcProbe(path, "nobody").check()
    await server.stop()
    path.touch()
    with pytest.raises(NotReady, match="UNAVAILABLE"):
        await GrpcProbe(path).check()


async def test_postgres_without_a_cluster(tmp_path: Path) -> None:
    """Before there is a password file or a server, the probe fails as not ready does."""
    probe = PostgresProbe(1, "feedmesh", "postgres", tmp_path / "password")
    with pytest.raises(FileNotFoundError):
        await probe.check()
    (tmp_path / "password").write_text("secret")
    with pytest.raises(OSError, match="1"):
        await probe.check()


class Scripted:
    """A probe that answers by a script: True, False, or None for never."""

    def __init__(self, *answers: bool | None) -> None:
        self.answers = list(answers)
        self.looks = 0

    async def check(self) -> None:
        """Give the next answer."""
        self.looks += 1
        if not self.answers:
            await asyncio.Event().wait()
        answer = self.answers.pop(0)
        if answer is None:
            await asyncio.Event().wait()
        if not answer:
            raise NotReady("scripted")


async def reports(schedule: Schedule, *answers: bool | None) -> list[tuple[bool, str] | str]:
    """Return what `watch` reports, and how it explains a slow start, for these answers."""
    probe, clock = Scripted(*answers), ManualClock()
    found: list[tuple[bool, str] | str] = []
    task = asyncio.create_task(watch(probe, schedule, clock, lambda *report: found.append(report), found.append))
    async with asyncio.timeout(5):
        while probe.looks <= len(answers):
            clock.advance(10)
            await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return found


async def test_thresholds_are_both_honoured() -> None:
    """Two successes in a row make ready, three failures in a row end it; single ones change nothing."""
    schedule = Schedule(success_threshold=2, failure_threshold=3, timeout_s=5)
    answers = [False, True, False, True, True, False, False, True, False, False, False, False, True, True]

    assert [(True, ""), (False, "scripted"), (True, "")] == await reports(schedule, *answers)


async def test_a_slow_start_is_explained() -> None:
    """After twenty failures what is wrong is explained, once, and is no report: nobody is killed for starting long."""
    schedule = Schedule(failure_threshold=30)
    early = await reports(schedule, *[False] * 19, True)
    late = await reports(schedule, *[False] * 25, True, *[False] * 25)

    assert [(True, "")] == early
    assert ["scripted", (True, "")] == late


async def test_no_answer_is_a_failure() -> None:
    """A probe that hangs is ended by the timeout and counted."""
    schedule = Schedule(failure_threshold=1, timeout_s=0.01)
    found = await reports(schedule, True, None, True)

    assert (True, "") == found[0]
    assert (False, "no answer within 0.01 s") == found[1]
    assert (True, "") == found[2]


async def test_looks_often_at_first() -> None:
    """Periods grow from the first one to that of starting, and change to the steady one when ready."""
    waits: list[float] = []
    eighth = asyncio.Event()

    class Noted(ManualClock):
        async def sleep(self, seconds: float) -> None:
            waits.append(seconds)
            if len(waits) == 8:
                eighth.set()
                await asyncio.Event().wait()

    probe = Scripted(False, False, False, False, False, False, True, True)
    task = asyncio.create_task(watch(probe, Schedule(), Noted(), lambda *_: None))
    async with asyncio.timeout(5):
        await eighth.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert [0.05, 0.075, 0.1125, 0.16875, 0.25, 0.25, 1.0, 1.0] == pytest.approx(waits)
