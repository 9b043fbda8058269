"""What operators see of pairs, feeds and sources."""

import asyncio

import pytest

from services.aggregator.fetching.circuit_breaker import CircuitState
from services.aggregator.prices.errors import SourceRateLimited, UnknownSource
from tests.aggregator.bench import bench
from tests.aggregator.fakes import BTC, ETH, NAMES, settings


async def test_registered_pairs_are_listed_with_their_moments() -> None:
    """By source, base and quote; what has not happened yet has no moment."""
    async with bench(settings(refetch=False)) as b:
        for pair in (ETH, BTC):
            await b.ask(b.engine.answers.source_quote("kraken", pair))
        await b.ask(b.engine.answers.source_quote("binance", ETH))
        begun_ms = b.clock.time_ms()
        await b.run(5)

        assert [("binance", ETH), ("kraken", BTC), ("kraken", ETH)] == [
            (pair.source, pair.pair) for pair in b.engine.status.pairs()
        ]
        (binance,) = b.engine.status.pairs("binance")
        assert 0 < binance.registered_ms == binance.last_request_ms <= begun_ms
        # The moment of a fetch is told by the monotonic clock, to a millisecond.
        assert abs(binance.last_fetch_ms - binance.registered_ms) <= 1
        assert binance.quote is not None
        with pytest.raises(UnknownSource):
            b.engine.status.pairs("nope")

        await b.run(6)

        assert [None] * 3 == [pair.quote for pair in b.engine.status.pairs()]


async def test_configured_feeds_are_listed_with_what_is_fresh() -> None:
    """A feed without a price is there, without one."""
    async with bench(settings("kraken", pinned=(BTC, ETH))) as b:
        del b.sources[0].prices[ETH]
        await b.run(0.2)
        feeds = b.engine.status.feeds()

        assert [BTC, ETH] == list(feeds)
        assert (True, None) == (feeds[BTC] is not None, feeds[ETH])


async def test_a_source_tells_how_it_is_doing() -> None:
    """Whether it is asked, its limits and its waits, and how much of it is fresh."""
    async with bench(settings(*NAMES, "okx")) as b:
        await b.ask(b.engine.answers.source_quote("kraken", BTC))
        b.sources[2].failure = SourceRateLimited("kraken", 60_000)
        asked = asyncio.create_task(b.engine.answers.source_quote("kraken", ETH))
        await b.run(0.2)
        await asyncio.gather(asked, return_exceptions=True)
        kraken, okx = b.engine.status.source("kraken"), b.engine.status.source("okx")

        assert [*NAMES, "okx"] == [status.name for status in b.engine.status.sources()]
        assert (False, None, 0) == (okx.enabled, okx.circuit, okx.registered_pairs)
        assert (True, False, CircuitState.CLOSED) == (kraken.enabled, kraken.available, kraken.circuit)
        assert (2, 1) == (kraken.registered_pairs, kraken.fresh_pairs)
        assert kraken.silent_until_ms is not None
        assert 59_000 < kraken.silent_until_ms - b.clock.time_ms() <= 60_000
        assert "limits us" in kraken.last_error
        assert (10, 0, 0) == (kraken.max_concurrent, kraken.calls_running, kraken.calls_waiting)
        with pytest.raises(UnknownSource):
            b.engine.status.source("nope")


async def test_hits_and_misses_are_those_of_every_source_that_is_asked() -> None:
    """Also where there were none, so that each has its series from the start."""
    async with bench(settings(refetch=False)) as b:
        assert dict.fromkeys(NAMES, 0) == b.engine.status.hits() == b.engine.status.misses()

        await b.ask(b.engine.answers.quote(BTC))
        await b.ask(b.engine.answers.quote(BTC))
        await b.ask(b.engine.answers.source_quote("kraken", BTC))

        assert {"binance": 1, "coinbase": 1, "kraken": 2} == b.engine.status.hits()
        assert dict.fromkeys(NAMES, 1) == b.engine.status.misses()
