"""Gathering pages of processes, good and bad, over real sockets."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from meshkit.clock import ManualClock, SystemClock
from meshkit.configuration.aggregator import NODE_METRICS
from meshkit.metrics import RPC_METRICS, Registry
from meshkit.process.background_tasks import TASK_METRICS
from meshkit.push import exposition
from meshkit.push.page import Page
from meshkit.rpc.server import MeshServer
from services.metrics.gathering import target
from services.metrics.gathering.gatherer import GATHERING_METRICS, Gatherer
from services.metrics.gathering.target import HttpTarget, SocketTarget, Unreadable, Wanted
from services.oracle.hop_metrics import HOP_METRICS
from services.oracle.metrics import METRICS

GOOD = b"# TYPE up_seconds gauge\nup_seconds 5\n"


@asynccontextmanager
async def page_of(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """Serve a page and give its address."""
    app = web.Application()

    async def answer(request: web.Request) -> web.StreamResponse:
        return await handler(request)

    app.router.add_get("/metrics", answer)
    async with TestServer(app) as server:
        yield str(server.make_url("/metrics"))


def figures(registry: Registry, name: str) -> dict[str, float]:
    """Return a metric's values by target."""
    lines = [line for line in registry.render().decode().splitlines() if line.startswith(f"{name}{{")]
    return {line.split('"')[1]: float(line.rsplit(" ", 1)[1]) for line in lines}


async def test_a_bad_page_keeps_back_no_other(monkeypatch: pytest.MonkeyPatch, run_dir: Path) -> None:
    """Dead, hanging, endless, refusing, moved and odd pages cost themselves only, and each says how."""
    monkeypatch.setattr(target, "TIMEOUT_S", 1.0)
    monkeypatch.setattr(target, "LONGEST_PAGE_BYTES", 100_000)
    ended = asyncio.Event()

    async def hangs(_: web.Request) -> web.Response:
        await ended.wait()
        return web.Response()

    async def endless(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        while True:
            await answer.write(b"x 1\n" * 10_000)

    async def answers(status: int, body: bytes, **headers: str) -> web.Response:
        return web.Response(status=status, body=body, headers=headers)

    registry = Registry((*RPC_METRICS, *GATHERING_METRICS))
    async with (
        page_of(lambda _: answers(200, GOOD)) as good,
        page_of(hangs) as hanging,
        page_of(endless) as too_long,
        page_of(lambda _: answers(500, b"")) as refusing,
        page_of(lambda _: answers(302, b"", Location="/elsewhere")) as moved,
        page_of(lambda _: answers(200, b"<html>\n" + GOOD)) as odd,
        aiohttp.ClientSession() as session,
    ):
        urls = {"good": good, "hangs": hanging, "endless": too_long, "refuses": refusing, "moved": moved, "odd": odd}
        targets: list[HttpTarget | SocketTarget] = [HttpTarget(name, url, session) for name, url in urls.items()]
        targets += [HttpTarget("dead", "http://127.0.0.1:1/metrics", session), SocketTarget("gone", run_dir / "gone")]
        gatherer = Gatherer(targets, 15, SystemClock(), registry)
        await gatherer.gather()
        ended.set()

    offered = {page.labels["mesh_service"]: page.text for page in gatherer.offer()}
    dead = ("hangs", "endless", "refuses", "moved", "dead", "gone")
    assert {"good": GOOD, "odd": GOOD} | dict.fromkeys(dead) == offered
    assert {"good": 1.0, "odd": 1.0} | dict.fromkeys(dead, 0.0) == figures(registry, "feedmesh_target_up")
    assert 1 == figures(registry, "feedmesh_target_odd_lines")["odd"]
    page = registry.render().decode()
    for name, reason in (("hangs", "late"), ("endless", "too_long"), ("moved", "refused"), ("dead", "unreachable")):
        assert f'feedmesh_target_failures_total{{mesh_service="{name}",reason="{reason}"}} 1.0\n' in page


async def test_a_page_over_a_socket(run_dir: Path) -> None:
    """Every gRPC server of ours has one; a server that hangs up is told."""
    registry = Registry(RPC_METRICS)
    async with MeshServer("dbinit", run_dir / "dbinit.sock", registry=registry, drain_s=0):
        page = await SocketTarget("dbinit", run_dir / "dbinit.sock").read()

    assert b"process_resident_memory_bytes" in page


async def test_a_socket_that_may_not_be_looked_at(run_dir: Path) -> None:
    """A socket that cannot even be looked at, as in another user's directory, is told as one that gives no answer."""
    with pytest.raises(Unreadable) as caught:
        await SocketTarget("node", run_dir / ("x" * 300)).read()

    assert "unreachable" == caught.value.reason


async def test_a_page_waits_until_it_was_pushed_and_is_sent_once() -> None:
    """A refused push leaves it, a taken one lets it go, and one that was gathered meanwhile stays."""

    class Counting:
        service = "node"
        wanted = None
        reads = 0

        async def read(self) -> bytes:
            self.reads += 1
            return b"reads %d\n" % self.reads

    gatherer = Gatherer([Counting()], 15, ManualClock(), Registry((*RPC_METRICS, *GATHERING_METRICS)))
    await gatherer.gather()
    first = Page(b"reads 1\n", {"mesh_service": "node"})
    assert [first] == gatherer.offer() == gatherer.offer()
    await gatherer.gather()
    gatherer.taken()
    second = Page(b"reads 2\n", {"mesh_service": "node"})
    assert [second] == gatherer.offer()
    gatherer.taken()

    assert [] == gatherer.offer()


async def test_gathering_goes_on_by_the_clock() -> None:
    """All targets are read once an interval."""
    read = asyncio.Event()

    class Noting:
        wanted = None
        service = "node"

        async def read(self) -> bytes:
            read.set()
            return GOOD

    clock = ManualClock()
    task = asyncio.create_task(Gatherer([Noting()], 15, clock, Registry((*RPC_METRICS, *GATHERING_METRICS))).run())
    for _ in range(3):
        await asyncio.wait_for(read.wait(), 10)
        read.clear()
        async with asyncio.timeout(10):
            while not clock._sleepers:  # noqa: ASYNC110  # the clock has no event for this
                await asyncio.sleep(0.001)
        assert not read.is_set()
        clock.advance(15)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_of_a_page_only_what_is_wanted_is_taken() -> None:
    """A node of another program tells of each task of each job; what nobody chose is left out and counted."""
    page = b"""# HELP health H.
# TYPE health gauge
health{service_id="a"} 1
health{service_id="b"} 1
healthy_tasks 4
# TYPE pipeline_task_execution_time histogram
pipeline_task_execution_time_bucket{job_id="1",le="1"} 4
pipeline_task_execution_time_sum{job_id="1"} 4
# TYPE tx_manager_num_gas_bumps counter
tx_manager_num_gas_bumps{evmChainID="1"} 2
"""
    wanted = Wanted(exposition.allowed(("health", "tx_manager_*")), most=2)
    registry = Registry((*RPC_METRICS, *GATHERING_METRICS))
    async with page_of(lambda _: _given(page)) as url, aiohttp.ClientSession() as session:
        gatherer = Gatherer([HttpTarget("node", url, session, wanted)], 15, SystemClock(), registry)
        await gatherer.gather()

    (offered,) = gatherer.offer()
    expected = b"""# HELP health H.
# TYPE health gauge
health{service_id="a"} 1
health{service_id="b"} 1
# TYPE tx_manager_num_gas_bumps counter
"""
    assert (expected, {"mesh_service": "node"}) == (offered.text, dict(offered.labels))
    assert {"node": 2.0} == figures(registry, "feedmesh_target_samples")
    assert {"node": 4.0} == figures(registry, "feedmesh_target_left_out_samples")


async def _given(body: bytes) -> web.Response:
    return web.Response(body=body)


def test_the_usual_choice_has_all_that_our_nodes_tell() -> None:
    """No metric of an embedded node is left out by the default, and names of a histogram's parts are its own."""
    usual = exposition.allowed(NODE_METRICS)
    for metric in (*METRICS, *HOP_METRICS, *RPC_METRICS, *TASK_METRICS):
        endings = ("_bucket", "_sum", "_count") if metric.kind == "histogram" else ("",)
        for ending in endings:
            assert usual.match(f'{metric.name}{ending}{{a="b"}} 1'.encode()), metric.name
    assert usual.match(b"process_resident_memory_bytes 5")
    assert not usual.match(b'pipeline_task_execution_time_bucket{le="1"} 1')
