"""What those who follow a feed see."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from services.aggregator.prices.errors import (
    ProviderFault,
    UnknownPair,
)
from tests.aggregator.bench import SOL, bench
from tests.aggregator.fakes import BTC, settings


async def test_followers_see_changes_and_the_loss_of_a_price() -> None:
    """A follower gets the price, its change, and the error that takes its place; the pair stays registered for it."""
    async with bench(settings("kraken", inactive_timeout_ms=20_000, cleanup_interval_ms=1_000)) as b:
        seen: list[object] = []

        task = asyncio.create_task(b.follow(seen))
        await b.run(0.1)
        b.sources[0].prices[BTC] = "104"
        await b.run(40)
        b.sources[0].failure = ProviderFault("kraken", "down")
        await b.run(12)
        task.cancel()

        assert [Decimal(103), Decimal(104), "PROVIDER_FAULT"] == seen


async def test_followers_hear_nothing_before_enough_sources_have_answered() -> None:
    """One price of three while the others are still asked is neither a quote nor an error."""
    async with bench() as b:
        seen: list[object] = []

        for source in b.sources[1:]:
            source.gate.clear()
        task = asyncio.create_task(b.follow(seen))
        await b.run(1)
        before = list(seen)
        for source in b.sources[1:]:
            source.gate.set()
        await b.run(1)
        task.cancel()

        assert ([], Decimal(101)) == (before, seen[-1])
        assert "TOO_FEW_SOURCES" not in seen


async def test_followed_pairs_are_refreshed_whatever_the_source_is_set_to() -> None:
    """A follower sees the next price of a source that otherwise fetches only on request."""
    config = settings("kraken")
    config = replace(config, sources={"kraken": replace(config.sources["kraken"], refetch=False)})
    async with bench(config) as b:
        seen: list[object] = []

        task = asyncio.create_task(b.follow(seen))
        await b.run(0.1)
        b.sources[0].prices[BTC] = "104"
        await b.run(30)
        task.cancel()

        assert [Decimal(103), Decimal(104)] == seen


async def test_following_an_unknown_pair_is_an_error() -> None:
    """The stream does not wait for a pair that no source has."""
    async with bench() as b:
        with pytest.raises(UnknownPair):
            await anext(b.engine.answers.follow([SOL], 0))


async def test_following_resumes_refreshes() -> None:
    """A pair that was requested once from a source without refreshes is kept fresh from the moment it is followed."""
    config = settings("kraken")
    config = replace(config, sources={"kraken": replace(config.sources["kraken"], refetch=False)})
    async with bench(config) as b:
        await b.ask(b.engine.answers.quote(BTC))
        await b.run(9.5)
        seen: list[object] = []
        task = asyncio.create_task(b.follow(seen))
        await b.run(60)
        task.cancel()

        assert [Decimal(103)] == seen
