"""A running market with a clock that stands still."""

from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request

from devkit.market.app import build_app
from devkit.market.process import PriceProcess
from meshkit.clock import ManualClock

NOW_MS = 1_700_000_000_123


@pytest.fixture(name="clock")
def _clock() -> ManualClock:
    return ManualClock(NOW_MS)


@pytest.fixture(name="market")
async def _market(clock: ManualClock) -> AsyncIterator[TestClient[Request, Application]]:
    async with TestClient(TestServer(build_app(PriceProcess(42), clock))) as client:
        yield client
