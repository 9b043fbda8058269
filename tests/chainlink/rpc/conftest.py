"""A chain, an HTTP client, and two lines to the chain that can be cut."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.chainlink.rpc.misbehaving import MisbehavingRpc
from tests.oracle.anvil import Aggregator, Anvil
from tests.oracle.chain.proxy import Proxy


@pytest.fixture(name="http")
async def _http() -> AsyncIterator[aiohttp.ClientSession]:
    """Give an HTTP client."""
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture(name="anvil")
async def _anvil(http: aiohttp.ClientSession) -> AsyncIterator[Anvil]:
    """Give a chain that makes a block of every transaction at once."""
    anvil = Anvil(http, None)
    await anvil.start()
    yield anvil
    await anvil.stop()


@pytest.fixture(name="aggregator")
async def _aggregator(anvil: Anvil) -> Aggregator:
    """Give an aggregator without oracles."""
    return await Aggregator.deploy(anvil)


@pytest.fixture(name="lines")
async def _lines(anvil: Anvil) -> AsyncIterator[list[Proxy]]:
    """Give two lines to one chain."""
    lines = [Proxy(anvil.port), Proxy(anvil.port)]
    for line in lines:
        await line.mend()
    yield lines
    for line in lines:
        await line.cut()


@pytest.fixture(name="proxy")
async def _proxy(http: aiohttp.ClientSession, anvil: Anvil) -> AsyncIterator[MisbehavingRpc]:
    """Give a proxy before the chain that behaves until it is told otherwise."""
    async with MisbehavingRpc(anvil.url, http).running() as proxy:
        yield proxy
