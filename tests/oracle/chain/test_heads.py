"""The newest block: pushed, or asked for."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from chainlink.rpc.client import RpcClient
from chainlink.rpc.endpoints import Endpoint
from meshkit.clock import SystemClock
from services.oracle.chain.heads import HeadTracker
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
    return RpcClient(http, endpoints, CHAIN_ID, timeout_s=0.5, **changes)  # type: ignore[arg-type]


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
