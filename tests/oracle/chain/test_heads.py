"""The newest block: pushed, or asked for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from structlog.testing import capture_logs

from chainlink.rpc.client import RpcClient
from chainlink.rpc.endpoints import Endpoint
from meshkit.clock import SystemClock
from services.oracle.chain.heads import HeadTracker
from tests.chainlink.rpc.misbehaving import LaggingNode, MisbehavingRpc
from tests.oracle.anvil import CHAIN_ID, Anvil
from tests.oracle.chain.proxy import Proxy
from tests.waiting import until


@pytest.fixture(name="lines")
async def _lines(anvil: Anvil) -> AsyncIterator[list[Proxy]]:
    """Give two lines to one chain."""
    lines = [Proxy(anvil.port), Proxy(anvil.port)]
    for line in lines:
        await line.mend()
    yield lines
    for line in lines:
        await line.cut()


def client(http: aiohttp.ClientSession, *urls: str, **changes: object) -> RpcClient:
    """Return a client of endpoints that are named after their place."""
    endpoints = [Endpoint(str(i), url, url.replace("http", "ws")) for i, url in enumerate(urls)]
    return RpcClient(http, endpoints, CHAIN_ID, timeout_s=10, **changes)  # type: ignore[arg-type]


async def test_heads_are_pushed(http: aiohttp.ClientSession, anvil: Anvil, lines: list[Proxy]) -> None:
    """Heads come over the WebSocket without being asked for, also after the line was cut, over the other one."""
    rpc = client(http, *(line.url for line in lines))
    # Nothing is asked for within this test: what comes was pushed.
    heads = HeadTracker(rpc, SystemClock(), 3600, session=http, watch_s=0.2)
    following = asyncio.create_task(heads.run())
    try:
        await until(lambda: heads.listening_to == "0", "heads are pushed")
        await anvil.rpc.call("anvil_mine", hex(3))
        await until(lambda: heads.latest == 3, "three heads were pushed")
        await lines[0].cut()
        await until(lambda: heads.listening_to == "1", "heads are pushed over the other line")
        await anvil.rpc.call("anvil_mine", hex(2))
        await until(lambda: heads.latest == 5, "two more heads were pushed")
        assert 0 == heads.rewinds
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def test_heads_without_a_websocket(http: aiohttp.ClientSession, anvil: Anvil) -> None:
    """Where there is no WebSocket heads are asked for at the interval."""
    rpc = RpcClient(http, [Endpoint("a", anvil.url)], CHAIN_ID)
    heads = HeadTracker(rpc, SystemClock(), 0.05, session=http)
    following = asyncio.create_task(heads.run())
    try:
        await anvil.rpc.call("anvil_mine", hex(3))
        await until(lambda: heads.latest == 3, "three heads were seen")
        assert not heads.listening_to
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


@asynccontextmanager
async def following(heads: HeadTracker) -> AsyncIterator[None]:
    """Follow while the body runs."""
    task = asyncio.create_task(heads.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_subscription_without_heads(http: aiohttp.ClientSession, anvil: Anvil) -> None:
    """While a subscription pushes nothing heads are asked for each interval; once it pushes, they are not."""
    async with MisbehavingRpc(anvil.url, http).running() as proxy:
        proxy.pushing = False
        heads = HeadTracker(client(http, proxy.url), SystemClock(), 0.05, session=http, watch_s=3600)
        async with following(heads):
            await until(lambda: heads.listening_to == "0", "it is subscribed")
            for head in (1, 2, 3):
                await anvil.rpc.call("evm_mine")
                await until(lambda head=head: heads.latest == head, f"block {head} is known")  # type: ignore[misc]
            # An interval later it is known that the pusher pushes nothing, and it is left.
            await until(lambda: heads.listening_to == "", "the silent endpoint is left")
            proxy.pushing = True

            async def pushed() -> bool:
                await anvil.rpc.call("evm_mine")
                return heads.listening_to == "0" and heads.latest > 3

            await until(pushed, "it is subscribed again, and heads come")


async def test_a_socket_that_closes(http: aiohttp.ClientSession, anvil: Anvil) -> None:
    """A WebSocket that is closed again and again is made anew each time, and that is not told again and again."""
    async with MisbehavingRpc(anvil.url, http).running() as proxy:
        heads = HeadTracker(client(http, proxy.url), SystemClock(), 3600, session=http, watch_s=0.05)
        with capture_logs() as events:
            async with following(heads):
                for head in (1, 2, 3):
                    await until(lambda: heads.listening_to == "0", "it is subscribed")
                    await anvil.rpc.call("evm_mine")
                    await until(lambda head=head: heads.latest == head, f"block {head} is pushed")  # type: ignore[misc]
                    assert 1 == await proxy.close_sockets()
                    await until(lambda: heads.listening_to == "", "the end is seen")
        assert 0 == heads.rewinds
    told = [event["event"] for event in events if event["log_level"] in ("info", "warning", "error")]
    assert 1 == told.count("heads_pushed")
    assert 0 == told.count("heads_not_pushed")


async def test_a_node_that_is_behind(http: aiohttp.ClientSession, anvil: Anvil) -> None:
    """Behind one URL a node that is eight blocks behind the other rewinds nothing; a chain that goes back does."""
    async with MisbehavingRpc(anvil.url, http).running() as proxy:
        heads = HeadTracker(client(http, proxy.url), SystemClock(), 1.0)
        await anvil.rpc.call("anvil_mine", hex(20))
        await heads.poll()
        proxy.rules = [LaggingNode(blocks=8)]
        for _ in range(10):
            assert 20 == await heads.poll()
        assert 0 == heads.rewinds

        snapshot = await anvil.rpc.call("evm_snapshot")
        proxy.rules = []
        await anvil.rpc.call("anvil_mine", hex(3))
        assert 23 == await heads.poll()
        assert await anvil.rpc.call("evm_revert", snapshot)
        assert 20 == await heads.poll()
        assert 1 == heads.rewinds
