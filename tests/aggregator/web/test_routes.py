"""Every route over a real socket, with the engine before the simulated market."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from meshkit.clock import SystemClock
from services.aggregator.config import AggregatorConfig
from services.aggregator.engine.engine import Engine
from services.aggregator.engine.status_metrics import StatusMetrics
from services.aggregator.metrics import open_registry
from services.aggregator.prices.errors import ProviderFault, SourceRateLimited
from services.aggregator.web.routes import HttpApi
from services.aggregator.web.server import listen
from tests.aggregator.fakes import BTC, ETH, NAMES, ScriptedSource, settings

SOURCES = dict(zip(NAMES, ("100.50", "101.0000000001", "1.03E+2"), strict=True))


class Server:
    """The HTTP side of an engine with three scripted sources."""

    def __init__(self, config: AggregatorConfig) -> None:
        self.sources = {name: ScriptedSource(name, prices={BTC: price, ETH: "5"}) for name, price in SOURCES.items()}
        clock, metrics = SystemClock(), open_registry()
        self.engine = Engine(config, self.sources.values(), clock, metrics)
        StatusMetrics(self.engine.status, None, clock, metrics)
        self.api = HttpApi(self.engine, clock, metrics)
        self.url = ""
        self.session: aiohttp.ClientSession

    async def get(self, path: str) -> tuple[int, Any]:
        """Return status and parsed body of a GET."""
        async with self.session.get(self.url + path) as response:
            return response.status, json.loads(await response.read())

    async def post(self, body: object) -> tuple[int, Any]:
        """Return status and parsed body of a bridge's POST."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with self.session.post(f"{self.url}/quotes/batch", data=data) as response:
            return response.status, json.loads(await response.read())


@pytest.fixture(name="server")
async def _server(session: aiohttp.ClientSession) -> AsyncIterator[Server]:
    server = Server(settings())
    listening = await listen(server.api.build(), 0, server.api.fast_answers())
    await server.engine.start()
    server.url = f"http://127.0.0.1:{listening.port}"
    server.session = session
    yield server
    await listening.close()
    await server.engine.close()


async def test_batch_of_quotes(server: Server) -> None:
    """Each pair has its entry in order, a quote or an error, and prices are plain decimal text."""
    status, said = await server.get("/quotes/batch?pairs=ETH-USD,NOPE-USD,btc-usd,ETH-USD")
    eth, nope, btc = said["quotes"]

    assert 200 == status
    assert ("ETH/USD", "5", "fresh", "0") == (eth["pair"], eth["price"], eth["status"], eth["spreadBps"])
    assert ("NOPE/USD", "UNKNOWN_PAIR") == (nope["pair"], nope["error"]["code"])
    assert ("btc/usd", "101.0000000001") == (btc["pair"], btc["price"])
    assert ["100.5", "101.0000000001", "103"] == [used["price"] for used in btc["sources"]]
    assert list(NAMES) == [used["source"] for used in btc["sources"]]


async def test_a_quote_shows_what_does_not_agree_with_it_only_if_something_does_not(server: Server) -> None:
    """A price far from the two others is beside its feed's, with a verdict; without one there is no such field."""
    server.sources["kraken"].prices[ETH] = "9"
    _, said = await server.get("/quotes/batch?pairs=BTC-USD,ETH-USD&fields=price,leftOut,notes")
    btc, eth = said["quotes"]
    left = eth["leftOut"]

    assert {"pair", "price"} == set(btc)
    assert ("5", {"pair", "price", "leftOut"}) == (eth["price"], set(eth))
    assert [("kraken", "9", "outlier")] == [(each["source"], each["price"], each["verdict"]) for each in left]


async def test_batch_of_chosen_sources(server: Server) -> None:
    """`sources` restricts the median."""
    _, said = await server.get("/quotes/batch?pairs=BTC/USD&sources=kraken,binance")

    assert "101.75" == said["quotes"][0]["price"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "pairs"),
        ("?pairs=", "pairs"),
        ("?pairs=BTCUSD", "BTCUSD"),
        ("?pairs=BTC-USD,,ETH-USD", "pairs: found ''"),
        ("?pairs=BTC-USD,B%20C-USD", "B C-USD"),
        ("?pairs=" + ",".join(["BTC-USD"] * 501), "501 pairs"),
        ("?pairs=" + "A" * 24_001, "24001 characters"),
        ("?pairs=BTC-USD&sources=", "sources"),
    ],
)
async def test_a_malformed_batch_is_400(server: Server, query: str, message: str) -> None:
    """The message shows what is wrong, and no source is asked."""
    status, said = await server.get("/quotes/batch" + query)

    assert (400, "INVALID_INPUT") == (status, said["error"]["name"])
    assert message in said["message"]
    assert not any(source.calls for source in server.sources.values())


async def test_a_source_that_cannot_be_asked_is_named(server: Server) -> None:
    """A name that no source has is the caller's fault; a source that is switched off is not found; nobody is asked."""
    unknown, said = await server.get("/quotes/batch?pairs=BTC-USD&sources=kraken,krakn")
    off, told = await server.get("/quotes/batch?pairs=BTC-USD&sources=kraken,okx")

    assert (400, "INVALID_INPUT", 404, "SOURCE_DISABLED") == (
        unknown,
        said["error"]["name"],
        off,
        told["error"]["name"],
    )
    assert "found 'krakn', allowed: alphavantage, binance" in said["message"]
    assert "'okx'" in told["message"]
    assert not any(source.calls for source in server.sources.values())


async def test_chosen_fields(server: Server) -> None:
    """Only these come, besides the pair and in the answer's own order, from fetched and from kept prices alike."""
    for _ in range(3):
        status, said = await server.get("/quotes/batch?pairs=BTC-USD,NOPE-USD&fields=status,price,price")

        assert 200 == status
        assert [("pair", "BTC/USD"), ("price", "101.0000000001"), ("status", "fresh")] == list(
            said["quotes"][0].items()
        )
        assert ["pair", "error"] == list(said["quotes"][1])
    _, restricted = await server.get("/quotes/batch?pairs=BTC-USD&sources=kraken,binance&fields=price")
    _, bare = await server.get("/quotes/batch?pairs=BTC-USD,ETH-USD&fields=pair")

    assert [{"pair": "BTC/USD", "price": "101.75"}] == restricted["quotes"]
    assert [{"pair": "BTC/USD"}, {"pair": "ETH/USD"}] == bare["quotes"]


async def test_an_unknown_field_is_named(server: Server) -> None:
    """The answer is 400 and lists the fields there are."""
    for query in ("fields=price,age", "fields=", "fields=price%20"):
        status, said = await server.get("/quotes/batch?pairs=BTC-USD&" + query)

        assert (400, "INVALID_INPUT") == (status, said["error"]["name"])
        assert "allowed: a comma list of pair, error, price, status, spreadBps, receivedAt, sources" in said["message"]
    assert "fields: found 'price '" in said["message"]


async def test_a_line_over_the_limit_is_400(server: Server) -> None:
    """A request line that is too long is refused by the server itself."""
    async with server.session.get(f"{server.url}/quotes/batch?pairs={'A' * 40_000}") as response:
        assert 400 == response.status


async def test_a_bridge_is_answered(server: Server) -> None:
    """A node's first request gets HTTP 200 with the result."""
    status, said = await server.post({"data": {"pair": "BTC/USD"}, "meta": {"latestAnswer": None, "updatedAt": None}})

    assert (200, 200, "101.0000000001") == (status, said["statusCode"], said["result"])
    assert said["result"] == said["data"]["result"]


async def test_a_bridge_hears_the_true_status(server: Server) -> None:
    """No price is an HTTP error with the same statusCode, and an error object of name and message."""
    for source in server.sources.values():
        source.failure = ProviderFault(source.DECLARATION.name, "down")
    status, said = await server.post({"data": {"pair": "BTC/USD"}})

    assert (503, 503, "TOO_FEW_SOURCES") == (status, said["statusCode"], said["error"]["name"])
    assert "down" in said["error"]["message"]
    assert "result" not in said


@pytest.mark.parametrize("body", [b"", b"pair=BTC", b"[1]", b'{"data":', b"\xff\xfe"])
async def test_a_bridge_body_that_is_no_object_is_400(server: Server, body: bytes) -> None:
    """Not JSON, or not an object, is the caller's fault."""
    status, said = await server.post(body)

    assert (400, 400, "INVALID_INPUT") == (status, said["statusCode"], said["error"]["name"])


async def test_an_unknown_pair_in_a_bridge_is_404(server: Server) -> None:
    """It is an error of its own, since a retry cannot help."""
    status, said = await server.post({"data": {"pair": "NOPE/USD"}})

    assert (404, "UNKNOWN_PAIR") == (status, said["error"]["name"])


async def test_a_body_over_the_limit_is_413(server: Server) -> None:
    """A body no bridge would send is refused."""
    status, said = await server.post(b" " * 300_000)

    assert (413, 413) == (status, said["statusCode"])


async def test_the_quote_of_one_source(server: Server) -> None:
    """The shape that existing jobs parse: source, pair, price and receivedAt."""
    status, said = await server.get("/quote/kraken/BTC/USD")

    assert 200 == status
    assert ("kraken", ["BTC", "USD"], "103") == (said["source"], said["pair"], said["price"])
    assert said["receivedAt"].endswith("Z")


@pytest.mark.parametrize(
    ("path", "status", "name"),
    [
        ("/quote/kraken/NOPE/USD", 404, "UNKNOWN_PAIR"),
        ("/quote/nope/BTC/USD", 404, "UNKNOWN_SOURCE"),
        ("/quote/kraken/B%20C/USD", 400, "INVALID_INPUT"),
        ("/quote/kraken/BTC/" + "U" * 51, 400, "INVALID_INPUT"),
        ("/quote/kraken/BTC", 404, "NOT_FOUND"),
        ("/nothing", 404, "NOT_FOUND"),
    ],
)
async def test_a_bad_path_tells_why(server: Server, path: str, status: int, name: str) -> None:
    """Every error has the same shape."""
    found, said = await server.get(path)

    assert (status, status, name) == (found, said["statusCode"], said["error"]["name"])
    assert said["message"] == said["error"]["message"]


async def test_a_limit_of_the_source_is_429_with_its_wait(server: Server) -> None:
    """The caller hears how long to wait, not that the pair is unknown."""
    server.sources["kraken"].failure = SourceRateLimited("kraken", 2_500)
    async with server.session.get(f"{server.url}/quote/kraken/BTC/USD") as response:
        assert (429, "3") == (response.status, response.headers["Retry-After"])
    async with server.session.get(f"{server.url}/metrics") as response:
        assert 'source_errors_total{reason="SOURCE_RATE_LIMITED",source="kraken"} 1.0' in await response.text()


async def test_a_wrong_method_is_405(server: Server) -> None:
    """Methods that are not offered are refused in the common shape."""
    async with server.session.delete(f"{server.url}/quotes/batch") as response:
        said = json.loads(await response.read())

        assert (405, 405, "METHOD_NOT_ALLOWED") == (response.status, said["statusCode"], said["error"]["name"])
        assert "GET,HEAD,POST" == response.headers["Allow"]


@pytest.mark.parametrize("path", ["/quote/cleanup", "/market-data/global/refresh", "/sources/kraken/batch"])
async def test_callers_cannot_change_the_service(server: Server, path: str) -> None:
    """There is no route to clear, refresh or fetch past the cache, and no other site's page may read answers."""
    async with server.session.post(server.url + path, json={"pairs": [["BTC", "USD"]]}) as response:
        assert response.status in {404, 405}
    headers = {"Origin": "http://elsewhere.example", "Access-Control-Request-Method": "POST"}
    for method in ("GET", "OPTIONS"):
        async with server.session.request(method, f"{server.url}/", headers=headers) as response:
            assert not any(name.lower().startswith("access-control") for name in response.headers)
    assert not any(source.calls for source in server.sources.values())


async def test_health_is_200_only_with_a_fresh_price(server: Server) -> None:
    """Before the first price the answer is 503."""
    before, _ = await server.get("/health")
    await server.get("/quote/kraken/BTC/USD")
    after, said = await server.get("/health")

    assert (503, 200) == (before, after)
    assert (True, 1) == (said["sources"]["kraken"]["available"], said["sources"]["kraken"]["freshPairs"])


async def test_the_root_answers(server: Server) -> None:
    """Deployments wait for it."""
    status, said = await server.get("/")

    assert (200, True) == (status, "timestamp" in said)


async def test_metrics_count_routes_not_paths(server: Server) -> None:
    """A caller cannot make new series by asking for new paths."""
    for path in ("/quote/kraken/BTC/USD", "/quote/kraken/NOPE/USD", "/whatever"):
        await server.get(path)
    async with server.session.get(f"{server.url}/metrics") as response:
        text = await response.text()

    route = "/quote/{source}/{base}/{quote}"

    assert f'http_requests_total{{method="GET",route="{route}",status="200"}} 1.0' in text
    assert f'http_requests_total{{method="GET",route="{route}",status="404"}} 1.0' in text
    assert 'route="unknown"' in text
    assert "whatever" not in text
    assert 'cache_misses_total{source="kraken"} 2.0' in text


async def test_a_caller_cannot_make_series_of_methods(server: Server) -> None:
    """The many methods that nobody has a use for here are counted as one."""
    for method in ("PROPFIND", "TRACE"):
        async with server.session.request(method, f"{server.url}/") as response:
            assert 405 == response.status
    async with server.session.get(f"{server.url}/metrics") as response:
        assert 'http_requests_total{method="other",route="unknown",status="405"} 2.0' in await response.text()


async def test_a_crash_is_500_without_details(server: Server) -> None:
    """A defect is answered in the common shape and tells nothing of the inside."""
    server.engine.status.sources = None  # type: ignore[assignment, method-assign]
    status, said = await server.get("/health")

    assert (500, "INTERNAL") == (status, said["error"]["name"])
    assert "NoneType" not in said["message"]


async def test_a_bridge_hears_why_a_source_is_missing(server: Server) -> None:
    """A quote that lacks a source tells which and why; a whole one says nothing of it."""
    _, whole = await server.post({"data": {"pair": "ETH/USD"}})
    server.sources["kraken"].failure = ProviderFault("kraken", "HTTP 500")

    status, degraded = await server.post({"data": {"pair": "BTC/USD"}})

    assert 200 == status
    assert "absent" not in whole["data"]
    absent = degraded["data"]["absent"]
    assert [("kraken", "failed", "PROVIDER_FAULT")] == [(a["source"], a["verdict"], a["reason"]) for a in absent]


async def test_a_bridge_without_a_price_hears_of_every_source(server: Server) -> None:
    """An error of a feed tells the fresh prices of its sources and why the others have none."""
    for name in ("binance", "kraken"):
        server.sources[name].failure = ProviderFault(name, "HTTP 500")

    status, body = await server.post({"data": {"pair": "BTC/USD"}})

    assert (503, "TOO_FEW_SOURCES") == (status, body["error"]["name"])
    assert ["coinbase"] == [each["source"] for each in body["sources"]]
    assert ["binance", "kraken"] == [each["source"] for each in body["absent"]]
