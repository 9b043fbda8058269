"""Errors become answers, and every request is counted once."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from meshkit.clock import ManualClock
from services.aggregator.metrics import open_registry
from services.aggregator.prices.errors import SourceRateLimited, UnknownPair
from services.aggregator.web.middleware import Middleware, RequestMetrics
from tests.aggregator.fakes import BTC


class Raising:
    """An application whose one route raises what a test says."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session
        self.error: Exception | None = None
        self.registry = open_registry()
        self.metrics = RequestMetrics(self.registry)
        self.in_flight: list[int] = []
        self.url = ""

    async def handle(self, _request: web.Request) -> web.Response:
        """Raise, or answer."""
        self.in_flight.append(self.metrics.in_flight)
        if self.error is not None:
            raise self.error
        return web.Response(text="fine")

    def app(self) -> web.Application:
        """Return the application."""
        app = web.Application(middlewares=[Middleware(self.metrics, ManualClock(1_700_000_000_000)).handle])
        app.router.add_get("/thing/{name}", self.handle)
        return app

    async def get(self, path: str = "/thing/x", method: str = "GET") -> aiohttp.ClientResponse:
        """Return the answer to a request."""
        async with self.session.request(method, self.url + path) as response:
            await response.read()
            return response

    def counted(self) -> list[str]:
        """Return the samples of answered requests."""
        lines = self.registry.render().decode().splitlines()
        return [line for line in lines if line.startswith("http_requests_total{")]


@pytest.fixture(name="raising")
async def _raising(session: aiohttp.ClientSession) -> AsyncIterator[Raising]:
    raising = Raising(session)
    async with TestServer(raising.app()) as server:
        raising.url = str(server.make_url("")).rstrip("/")
        yield raising


@pytest.mark.parametrize(
    ("error", "status", "name"),
    [
        (UnknownPair(BTC), 404, "UNKNOWN_PAIR"),
        (SourceRateLimited("kraken", 1_500), 429, "SOURCE_RATE_LIMITED"),
        (web.HTTPRequestEntityTooLarge(1, 2), 413, "REQUEST_ENTITY_TOO_LARGE"),
        (KeyError("secret-word"), 500, "INTERNAL"),
    ],
)
async def test_an_error_is_an_answer_in_the_common_shape(
    raising: Raising, error: Exception, status: int, name: str
) -> None:
    """With its status, its name and a message; a defect shows nothing of the inside."""
    raising.error = error
    response = await raising.get()
    said = await response.json()

    assert (status, status, name) == (response.status, said["statusCode"], said["error"]["name"])
    assert said["message"] == said["error"]["message"]
    assert "2023-11-14T22:13:20.000Z" == said["timestamp"]
    assert "secret-word" not in str(said)


async def test_a_limit_tells_its_wait_in_whole_seconds(raising: Raising) -> None:
    """Rounded up, so that nobody comes too early."""
    raising.error = SourceRateLimited("kraken", 1_001)

    assert "2" == (await raising.get()).headers["Retry-After"]


async def test_requests_are_counted_by_route_method_and_status(raising: Raising) -> None:
    """Paths, unknown routes and rare methods make no series of their own, and nobody is left in flight."""
    await raising.get("/thing/a")
    await raising.get("/thing/b")
    await raising.get("/nothing")
    await raising.get(method="PROPFIND")
    raising.error = UnknownPair(BTC)
    await raising.get()

    assert [
        'http_requests_total{method="GET",route="/thing/{name}",status="200"} 2.0',
        'http_requests_total{method="GET",route="/thing/{name}",status="404"} 1.0',
        'http_requests_total{method="GET",route="unknown",status="404"} 1.0',
        'http_requests_total{method="other",route="/thing/{name}",status="405"} 1.0',
    ] == sorted(
        line.replace('route="unknown",status="405"', 'route="/thing/{name}",status="405"') for line in raising.counted()
    )
    assert ([1, 1, 1], 0) == (raising.in_flight, raising.metrics.in_flight)
