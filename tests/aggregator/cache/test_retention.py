"""Which registered pairs are kept fresh, tried again and forgotten."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from services.aggregator.cache.pair_registry import Registration
from services.aggregator.config import AggregatorConfig
from services.aggregator.prices.errors import PriceRefused, ProviderFault
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import SourceQuote
from tests.aggregator.cache.making import MadeCache
from tests.aggregator.fakes import BTC, ETH, settings

DOWN = ProviderFault("kraken", "down")
RATIO = Pair("BTC", "ETH")


def config(refetch: bool = True, source_refetch: bool = True, **changes: object) -> AggregatorConfig:
    """Return a configuration of one source."""
    made = settings("kraken", refetch=refetch, **changes)
    return replace(made, sources={"kraken": replace(made.sources["kraken"], refetch=source_refetch)})


@asynccontextmanager
async def following(made: MadeCache, feed: Pair) -> AsyncIterator[None]:
    """Follow a feed."""
    changes = made.cache.current.follow([feed], 0)
    task = asyncio.ensure_future(anext(changes))
    await asyncio.sleep(0)
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await changes.aclose()  # type: ignore[attr-defined]


def registered(made: MadeCache, pinned: bool = False) -> Registration:
    """Return the registration of a pair."""
    entry = made.cache.registry.touch("kraken", BTC)
    entry.pinned = pinned
    return entry


@pytest.mark.parametrize(
    ("refetch", "source_refetch", "pinned", "followed", "expected"),
    [
        (False, True, True, True, False),
        (True, True, False, False, True),
        (True, False, False, False, False),
        (True, False, True, False, True),
        (True, False, False, True, True),
    ],
)
async def test_a_pair_is_kept_fresh_for_whom_it_is_set(
    refetch: bool, source_refetch: bool, pinned: bool, followed: bool, expected: bool
) -> None:
    """Configured and followed pairs always, others as their source is set to, none where refreshes are off."""
    made = MadeCache(config(refetch, source_refetch))
    entry = registered(made, pinned)
    async with following(made, BTC if followed else ETH):
        assert expected == made.cache.retention.is_refreshed(entry)


@pytest.mark.parametrize(
    ("retries", "failures", "pinned", "followed", "expected"),
    [
        (True, 2, False, False, True),
        (True, 3, False, False, False),
        (False, 0, False, False, False),
        (False, 9, True, False, True),
        (False, 9, False, True, True),
    ],
)
async def test_a_failed_pair_is_tried_again_for_whom_it_is_set(
    retries: bool, failures: int, pinned: bool, followed: bool, expected: bool
) -> None:
    """Configured and followed pairs always, others up to the number of failures that is set, or never."""
    made = MadeCache(config(retries=retries, most_failures=3))
    entry = registered(made, pinned)
    for _ in range(failures):
        made.fetched("kraken", DOWN)
    async with following(made, BTC if followed else ETH):
        assert expected == made.cache.retention.is_retried(entry)


async def test_a_leg_is_followed_with_the_feed_that_is_computed_with_it() -> None:
    """Who follows a quotient keeps the pairs of both of its legs."""
    made = MadeCache(settings("kraken", crosses={RATIO: (BTC, ETH)}))
    registered(made)
    made.clock.advance(100)
    async with following(made, RATIO):
        assert 0 == made.cache.retention.forget_inactive(50)

    assert 1 == made.cache.retention.forget_inactive(50)


def test_forgetting_a_pair_leaves_nothing_of_it() -> None:
    """Neither its price, nor its refresh, nor the price that a later one would be a jump from."""
    made = MadeCache(config(jump_guard_bps=1_000))
    pair = Pair("SOL", "USD")
    made.cache.registry.touch("kraken", pair)
    made.fetched("kraken", "100", pair)

    assert made.cache.refresher.step() is not None
    assert isinstance(made.fetched("kraken", "200", pair), PriceRefused)
    assert 1 == made.cache.retention.forget_inactive(0)
    assert (None, None, 0) == (made.cached("kraken", pair), made.cache.refresher.step(), len(made.cache.registry))

    made.cache.registry.touch("kraken", pair)

    assert isinstance(made.fetched("kraken", "200", pair), SourceQuote)


def test_inactive_is_who_was_asked_for_at_least_so_long_ago() -> None:
    """Of two pairs a moment apart the older is forgotten at the time set; of a tie both; a pinned one never."""
    made = MadeCache(config())
    pairs = [Pair(name, "USD") for name in "ABC"]
    made.cache.registry.pin("kraken", BTC)
    made.cache.registry.touch("kraken", pairs[0])
    made.clock.advance(0.5)
    for pair in pairs[1:]:
        made.cache.registry.touch("kraken", pair)
    made.clock.advance(9.5)

    assert 1 == made.cache.retention.forget_inactive(10)
    assert [BTC, *pairs[1:]] == sorted(made.cache.registry.pairs("kraken"), key=lambda pair: pair is not BTC)

    made.clock.advance(0.5)

    assert 2 == made.cache.retention.forget_inactive(10)
    assert [BTC] == made.cache.registry.pairs("kraken")


def test_a_batch_is_filled_with_who_was_fetched_longest_ago() -> None:
    """Those never fetched come first, of a tie in the order of their registration; who failed of late has no place."""
    made = MadeCache(config())
    pairs = [Pair(name, "USD") for name in "DBCAE"]
    for pair in pairs:
        made.cache.registry.touch("kraken", pair)
    made.fetched("kraken", DOWN, pairs[1])
    retention = made.cache.retention
    first = retention.fill("kraken", 2, ())
    made.clock.advance(0.1)

    assert [pairs[0], pairs[2]] == first
    assert [pairs[3], pairs[0], pairs[2]] == retention.fill("kraken", 3, {pairs[4]})
    made.clock.advance(1)
    assert [pairs[1], pairs[4]] == retention.fill("kraken", 2, ())


@pytest.mark.parametrize("room", [0, 1])
def test_nobody_fills_a_batch_where_nothing_is_refreshed(room: int) -> None:
    """Pairs that nobody wants fresh are not carried along."""
    made = MadeCache(config(source_refetch=False))
    registered(made)

    assert [] == made.cache.retention.fill("kraken", room, ())
