"""What /metrics of a running aggregator says after real requests, and what is pushed of it."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from aiohttp.test_utils import TestServer
from prometheus_client.parser import text_string_to_metric_families

from meshkit.clock import SystemClock
from services.aggregator.config import MarketDataConfig
from services.aggregator.engine.engine import Engine
from services.aggregator.engine.market_data import MarketData
from services.aggregator.engine.status_metrics import StatusMetrics
from services.aggregator.metrics import METRICS, open_registry
from services.aggregator.prices.errors import ProviderFault
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.sources.factory import open_sources
from services.aggregator.sources.settings import SourceConfig
from services.aggregator.sources.source import UNLIMITED, RateLimiter, TickOutcome
from services.aggregator.streams.catalog import open_streams
from services.aggregator.streams.settings import StreamConfig
from services.aggregator.web.routes import HttpApi
from services.aggregator.web.server import listen
from tests.aggregator.bench import bench
from tests.aggregator.fakes import BTC, ETH, settings
from tests.aggregator.processes import Running
from tests.receiver import Receiver
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
    runner = await listen(api.build(), 0, api.fast_answers())
    await engine.start()
    figures.start()
    yield Watched(market, f"http://127.0.0.1:{runner.addresses[0][1]}", session)
    await runner.cleanup()
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
    # None of the table is a promise that nobody keeps.
    for metric in METRICS:
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


async def test_shares_and_ages_are_those_of_the_moment() -> None:
    """A rate of refreshes counts failed ones, ages follow the clock, and what is gone has no age."""
    config = settings("kraken", pinned=(BTC, ETH))
    async with bench(config) as b:
        await b.run(0.1)
        received_ms = min(state.quote.received_ms for state in b.engine.status.pairs() if state.quote is not None)
        await b.run(2)

        assert (b.clock.time_ms() - received_ms) / 1000 == b.counted('quote_age_seconds{source="kraken"}')
        assert 2 == b.counted('cache_entries_total{source="kraken"}')

        await b.run(8)

        assert 1 == b.counted('prefetch_success_rate{source="kraken"}')

        b.sources[0].failure = ProviderFault("kraken", "down")
        await b.run(25)
        page = b.metrics.render().decode()
        rate = b.counted('prefetch_success_rate{source="kraken"}')

        assert 0 < rate < 1
        assert 0 == b.counted('cache_entries_total{source="kraken"}') == b.counted('feed_sources{feed="BTC/USD"}')
        assert 2 == b.counted('cache_stale_entries{source="kraken"}')
        assert 0 < b.counted('source_circuit_state{source="kraken"}')
        assert "quote_age_seconds{" not in page
        assert "feed_age_seconds{" not in page


async def test_an_age_is_that_of_the_price_not_of_its_arrival() -> None:
    """A source that answers with an old price again and again has a growing age, as its own time says."""
    async with bench(settings("kraken")) as b:
        taken_ms = b.clock.time_ms() - 60_000

        async def fetch(pairs: Sequence[Pair], _limiter: RateLimiter = UNLIMITED) -> Mapping[Pair, TickOutcome]:
            return dict.fromkeys(pairs, Tick("103", taken_ms))

        b.sources[0].fetch = fetch  # type: ignore[method-assign]
        await b.ask(b.engine.answers.source_quote("kraken", BTC))
        for _ in range(3):
            await b.run(10)

            assert (b.clock.time_ms() - taken_ms) / 1000 == b.counted('quote_age_seconds{source="kraken"}')


async def test_metrics_are_pushed_where_the_configuration_says(run_dir: Path, market: str) -> None:
    """The process posts its page with the configured credentials and labels, and goes on after a refusal."""
    receiver = Receiver(statuses=[204, 400])
    running = Running(run_dir, {"kraken": {"baseUrl": f"{market}/kraken", "ttl": 5000}}, ("BTC / USD",))
    path = run_dir / "configuration.json"
    document = json.loads(path.read_text())
    async with TestServer(receiver.app()) as server:
        document["solution"]["priceAggregatorConfig"]["metricsPush"] = {
            "enabled": True,
            "url": str(server.make_url("/push")),
            "intervalMs": 1000,
            "jobName": "prices",
            "groupingLabels": {"environment": "dev", "instance": 'a"b'},
            "basicAuth": {"username": "user", "password": "a-password"},
        }
        path.write_text(json.dumps(document))
        async with running.process() as process:
            await until(lambda: len(receiver.received) >= 3, "three pushes")
            process.send_signal(signal.SIGTERM)
            output, _ = await asyncio.wait_for(process.communicate(), 15)

    first, _, third = receiver.received[:3]
    samples = [sample for family in text_string_to_metric_families(third.body) for sample in family.samples]
    assert ("POST", {}, ("user", "a-password")) == (first.method, first.query, first.authorization)
    assert "text/plain; version=0.0.4; charset=utf-8" == first.headers["Content-Type"]
    assert {"prices"} == {sample.labels["job"] for sample in samples}
    assert {('a"b', "dev")} == {(sample.labels["instance"], sample.labels["environment"]) for sample in samples}
    assert 1 == next(sample.value for sample in samples if sample.name == "feedmesh_metrics_push_failures_total")
    assert 0 == process.returncode
    assert b"a-password" not in output
    assert b"push_failed" in output
