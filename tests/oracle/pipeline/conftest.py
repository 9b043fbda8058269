"""An adapter, and a way to it."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from services.oracle.pipeline.fetch import Fetcher
from tests.oracle.pipeline.adapter import Adapter
from tests.ports import free_port


@pytest.fixture(name="adapter")
async def _adapter() -> AsyncIterator[Adapter]:
    """Give a running adapter."""
    adapter = Adapter(free_port())
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", adapter.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", adapter.port).start()
    yield adapter
    adapter.go_on.set()
    await runner.cleanup()


@pytest.fixture(name="fetcher")
async def _fetcher(adapter: Adapter) -> AsyncIterator[Fetcher]:
    """Give a fetcher that knows the bridges a, b and c of the adapter, and a dead one."""
    urls = {name: f"{adapter.url}/{name}" for name in "abc"} | {"dead": "http://127.0.0.1:1/"}
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        yield Fetcher(session, urls.get, default_timeout_s=5.0, max_bytes=4096)
