"""A chain, an HTTP client, and two lines to the chain that can be cut."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.oracle.anvil import Anvil
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


@pytest.fixture(name="lines")
async def _lines(anvil: Anvil) -> AsyncIterator[list[Proxy]]:
    """Give two lines to one chain."""
    lines = [Proxy(anvil.port), Proxy(anvil.port)]
    for line in lines:
        await line.mend()
    yield lines
    for line in lines:
        await line.cut()
