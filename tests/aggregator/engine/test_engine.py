"""What the engine does by itself: warm up, and clean up."""

import asyncio

import pytest

from services.aggregator.prices.errors import (
    TooManyPairs,
)
from tests.aggregator.bench import bench
from tests.aggregator.fakes import BTC, ETH, settings


async def test_configured_feeds_are_fetched_without_a_request() -> None:
    """The warm-up ends when every configured feed has a price, and they stay fresh."""
    async with bench(settings(pinned=(BTC, ETH))) as b:
        warm = asyncio.create_task(b.engine.warm_up())
        await b.run(0.1)

        assert await warm
        assert [[BTC, ETH]] * 3 == [source.calls[0] for source in b.sources]

        await b.run(60)

        assert 6 == sum(state.fresh_pairs for state in b.engine.status.sources())
        assert 0 == b.engine.clear_inactive(1)


async def test_the_warm_up_ends_with_its_time() -> None:
    """A source that hangs does not keep the service from starting."""
    async with bench(settings("kraken", pinned=(BTC,))) as b:
        b.sources[0].gate.clear()

        assert not await b.engine.warm_up(0.05)


async def test_idle_pairs_are_forgotten_and_no_longer_fetched() -> None:
    """A pair nobody asks for is removed after the inactive time."""
    async with bench(settings(inactive_timeout_ms=30_000, cleanup_interval_ms=1_000)) as b:
        await b.ask(b.engine.answers.source_quote("kraken", BTC))
        await b.run(32)
        calls = len(b.sources[2].calls)
        await b.run(30)

        assert ([], calls) == (b.engine.status.pairs(), len(b.sources[2].calls))


async def test_the_number_of_pairs_is_bounded() -> None:
    """A full registry refuses a new pair instead of growing."""
    async with bench(settings(most_pairs=1)) as b:
        await b.ask(b.engine.answers.source_quote("kraken", BTC))
        with pytest.raises(TooManyPairs):
            await b.ask(b.engine.answers.source_quote("kraken", ETH))
