"""What /metrics of a running aggregator says after real requests, and what is pushed of it."""

from collections.abc import AsyncIterator
from dataclasses import replace

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from meshkit.clock import SystemClock
from meshkit.push.metrics import PUSH_METRICS
from services.aggregator.config import MarketDataConfig
from services.aggregator.engine.engine import Engine
from services.aggregator.engine.market_data import MarketData
from services.aggregator.engine.status_metrics import StatusMetrics
from services.aggregator.metrics import METRICS, open_registry
from services.aggregator.prices.pair import Pair
from services.aggregator.sources.factory import open_sources
from services.aggregator.sources.settings import SourceConfig
from services.aggregator.streams.catalog import open_streams
from services.aggregator.streams.settings import StreamConfig
from services.aggregator.web.routes import HttpApi
from services.aggregator.web.server import listen
from tests.aggregator.fakes import BTC, settings
from tests.waiting import until

# The names that dashboards of existing deployments use, each with its labels.
SPECIFIED = {
    "http_requests_total": {"route", "method", "status"},
    "http_request_duration_seconds": {"route", "method", "status"},
    "http_requests_in_flight": set(),
    "cache_hits_total": {"source"},
    "cache_misses_total": {"source"},
    "cache_hit_ratio": {"source"},
    "cache_entries_total": {"source"},
    "cache_stale_entries": {"source"},
    "source_requests_total": {"source", "status"},
    "source_request_duration_seconds": {"source"},
    "source_availability": {"source"},
    "source_errors_total": {"source", "reason"},
    "websocket_connections": {"source"},
    "websocket_reconnects_total": {"source", "reason"},
    "websocket_messages_received": {"source"},
    "refetch_operations_total": {"source", "status"},
    "refetch_duration_seconds": {"source"},
    "prefetch_success_rate": {"source"},
}
BESIDE = {
    "refused_prices_total": {"source", "reason"},
    "quote_age_seconds": {"source"},
    "source_circuit_state": {"source"},
}
QUOTE_ROUTE = "/quote/{source}/{base}/{quote}"


class Page:
    """A metrics page, read as Prometheus reads it."""

    def __init__(self, text: str) -> None:
        self.samples = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float | None:
        """Return a sample's value, None if there is none."""
        return self.samples.get((name, frozenset(labels.items())))

    def labels(self, name: str) -> list[set[str]]:
        """Return the label names of each sample of a metric, of a histogram those of its counts."""
        return [{key for key, _ in labels} for found, labels in self.samples if found in {name, f"{name}_count"}]


class Watched:
    """An aggregator on the simulated market: kraken over REST, binance over REST and a stream."""

    def __init__(self, market: str, url: str, session: aiohttp.ClientSession) -> None:
        self.market = market
        self.url = url
        self.session = session

    async def page(self) -> Page:
        """Read the metrics."""
        async with self.session.get(f"{self.url}/metrics") as response:
            return Page(await response.text())

    async def ask(self, path: str) -> int:
        """Return the status of a GET."""
        async with self.session.get(self.url + path) as response:
            await response.read()
            return response.status

    async def control(self, what: str, **fault: object) -> None:
        """Break the simulated market."""
        async with self.session.post(f"{self.market}/control/{what}", json=fault) as response:
            assert 200 == response.status


@pytest.fixture(name="watched")
async def _watched(market: str, session: aiohttp.ClientSession) -> AsyncIterator[Watched]:
    stream = StreamConfig(ws_url=f"{market.replace('http', 'ws', 1)}/binance/ws", reconnect_interval_ms=1)
    sources = {name: SourceConfig(name, base_url=f"{market}/{name}", ttl_ms=3_000) for name in ("binance", "kraken")}
    config = replace(
        settings("binance", "kraken"),
        sources=sources,
        streams={"binance": stream},
        feeds={BTC: {"binance": Pair("BTC", "USDT"), "kraken": BTC}},
        pinned=(BTC,),
        max_spread_bps=200,
        converts_stablecoins=False,
    )
    clock, metrics = SystemClock(), open_registry()
    made = open_sources(session, config.sources.values(), clock)
    engine = Engine(config, made, clock, metrics, open_streams(session, config.streams, clock, metrics))
    figures = MarketData(session, MarketDataConfig(base_url=f"{market}/coingecko"), clock, metrics)
    StatusMetrics(engine.status, figures, clock, metrics)
    api = HttpApi(engine, clock, metrics, figures)
    listening = await listen(api.build(), 0, api.fast_answers())
    await engine.start()
    figures.start()
    yield Watched(market, f"http://127.0.0.1:{listening.port}", session)
    await listening.close()
    await figures.close()
    await engine.close()


async def test_every_specified_metric_is_there_with_its_labels_and_values(watched: Watched) -> None:
    """After requests, refreshes, an unknown pair, odd prices and a disconnect, each says what happened."""
    first = await watched.page()
    await until(lambda: _is_200(watched, "/quote/binance/BTC/USDT"))
    await until(lambda: _has(watched, "market_data_age_seconds", 0, source="coingecko"))
    before = await watched.page()
    for _ in range(3):
        assert 200 == await watched.ask("/quote/kraken/BTC/USD")
    assert 404 == await watched.ask("/quote/kraken/NOPE/USD")
    after = await watched.page()

    counted = {"route": QUOTE_ROUTE, "method": "GET"}
    assert 1 == first.value("http_requests_in_flight")
    assert 3 == _grown(before, after, "http_requests_total", **counted, status="200")
    assert 3 == _grown(before, after, "http_request_duration_seconds_count", **counted, status="200")
    assert 1 == _grown(before, after, "http_requests_total", **counted, status="404")
    assert 3 == _grown(before, after, "cache_hits_total", source="kraken")
    assert 1 == _grown(before, after, "cache_misses_total", source="kraken")
    hits, misses = (after.value(f"cache_{each}_total", source="kraken") or 0 for each in ("hits", "misses"))
    assert hits / (hits + misses) == after.value("cache_hit_ratio", source="kraken")
    assert 1 == _grown(before, after, "source_errors_total", source="kraken", reason="UNKNOWN_PAIR")
    assert 1 == after.value("source_availability", source="kraken")
    assert 0 == after.value("source_circuit_state", source="kraken")
    assert 1 == after.value("cache_entries_total", source="kraken")
    assert 0 == after.value("cache_stale_entries", source="kraken")
    assert 2 == after.value("feed_sources", feed="BTC/USD")
    assert 0 <= (after.value("feed_age_seconds", feed="BTC/USD") or -1) < 60
    assert 0 <= (after.value("quote_age_seconds", source="binance") or -1) < 60

    await until(lambda: _has(watched, "websocket_connections", 1, source="binance"))
    await until(lambda: _has(watched, "websocket_messages_received", 3, source="binance"))
    await until(lambda: _has(watched, "refetch_operations_total", 1, source="kraken", status="success"))
    await watched.control("kraken", factor=1.04)
    await until(lambda: _has(watched, "feed_refusals_total", 1, reason="disagree"))
    await watched.control("binance/disconnect")
    await watched.control("kraken", number="negative")
    await until(lambda: _has(watched, "refused_prices_total", 1, source="kraken", reason="range"))
    await until(lambda: _has(watched, "cache_stale_entries", 1, source="kraken"))
    await until(lambda: _reconnected(watched))
    last = await watched.page()

    assert last.value("quote_age_seconds", source="kraken") is None
    successes = last.value("refetch_operations_total", source="kraken", status="success") or 0
    errors = last.value("refetch_operations_total", source="kraken", status="error") or 0
    assert errors >= 1
    assert successes + errors == last.value("refetch_duration_seconds_count", source="kraken")
    assert successes / (successes + errors) == last.value("prefetch_success_rate", source="kraken")
    # None of the table is a promise that nobody keeps; this aggregator pushes nothing.
    for metric in set(METRICS) - set(PUSH_METRICS):
        assert set(metric.labels) in last.labels(metric.name) + after.labels(metric.name), metric.name


async def _is_200(watched: Watched, path: str) -> bool:
    return await watched.ask(path) == 200


async def _has(watched: Watched, name: str, least: float, **labels: str) -> bool:
    value = (await watched.page()).value(name, **labels)
    return value is not None and value >= least


async def _reconnected(watched: Watched) -> bool:
    page = await watched.page()
    return any(name == "websocket_reconnects_total" and value >= 1 for (name, _), value in page.samples.items())


def _grown(before: Page, after: Page, name: str, **labels: str) -> float:
    return (after.value(name, **labels) or 0) - (before.value(name, **labels) or 0)


def test_the_table_has_the_specified_names() -> None:
    """The table that the documentation is made of declares each with these labels."""
    declared = {metric.name: set(metric.labels) for metric in METRICS}

    assert SPECIFIED | BESIDE == {name: declared.get(name) for name in SPECIFIED | BESIDE}
