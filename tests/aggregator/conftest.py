"""Fixtures of the aggregator's tests: real servers on free ports of the loopback interface."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from devkit.market.app import build_app
from devkit.market.process import PriceProcess
from meshkit.clock import SystemClock
from services.aggregator.sources.client import open_session
from tests.aggregator.fakes import LiteralExchange


async def _serve(app: web.Application) -> tuple[web.AppRunner, str]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


@pytest.fixture(name="session")
async def _session() -> AsyncIterator[aiohttp.ClientSession]:
    """Give the session that all sources share."""
    async with open_session() as session:
        yield session


@pytest.fixture(name="market")
async def _market() -> AsyncIterator[str]:
    """Give the address of a running market simulator."""
    runner, url = await _serve(build_app(PriceProcess(7), SystemClock()))
    yield url
    await runner.cleanup()


@pytest.fixture(name="exchange")
async def _exchange() -> AsyncIterator[LiteralExchange]:
    """Give an exchange that answers literally what the test says."""
    exchange = LiteralExchange()
    app = web.Application()
    app.router.add_get("/{tail:.*}", exchange.handle)
    runner, exchange.url = await _serve(app)
    yield exchange
    await runner.cleanup()
