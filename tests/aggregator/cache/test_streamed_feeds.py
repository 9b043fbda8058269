"""Feeds that streams brought prices of: renewed when wanted, when asked for, and in any case soon."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from services.aggregator.cache.streamed_feeds import RENEW_S
from services.aggregator.engine.ready_quotes import ReadyQuotes
from services.aggregator.prices.pair import Pair
from tests.aggregator.cache.making import MadeCache
from tests.aggregator.fakes import BTC, ETH, NAMES, settings

CROSS = Pair("BTC", "ETH")


def made_cache() -> MadeCache:
    """Return a cache with quotes of two feeds and of their quotient."""
    made = MadeCache(replace(settings(refetch=False), crosses={CROSS: (BTC, ETH)}))
    made.pin(BTC, ETH)
    for pair in (BTC, ETH):
        say(made, "100", pair)
    while made.cache.streamed_feeds.renew_wanted(1):
        pass
    return made


def say(made: MadeCache, price: str, pair: Pair = BTC) -> None:
    """Have the streams of all sources bring a price."""
    for source in NAMES:
        made.streamed(source, price, pair)


@asynccontextmanager
async def following(made: MadeCache, feed: Pair) -> AsyncIterator[None]:
    """Follow a feed."""
    changes = made.cache.current.follow([feed], 0)
    task = asyncio.ensure_future(anext(changes))
    await asyncio.sleep(0)
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_a_first_quote_is_made_at_once() -> None:
    """A feed that has no quote yet does not wait."""
    assert ("100", "1") == (made_cache().current(BTC), made_cache().current(CROSS))


def test_a_quote_that_nobody_wants_is_renewed_soon() -> None:
    """Until then it stands, then it is made of the newest prices, once."""
    made = made_cache()
    say(made, "101")
    made.clock.advance(RENEW_S - 0.001)
    say(made, "102")
    made.cache.streamed_feeds.renew_wanted(10)
    made.cache.refresher.step()
    before, version = made.current(), made.cache.current.version
    made.clock.advance(0.001)
    made.cache.refresher.step()

    assert ("100", "102", "1.02") == (before, made.current(), made.current(CROSS))
    # The feed, and the one that is computed with it.
    assert version + 2 == made.cache.current.version


def test_a_quote_that_is_asked_for_is_of_the_newest_prices() -> None:
    """Who asks never hears of an older price than what has come, of a computed feed neither; and versions tell it."""
    made = made_cache()
    cache = made.cache
    ready = ReadyQuotes(
        cache.feeds,
        made.clock,
        current=cache.current,
        streamed_feeds=cache.streamed_feeds,
        failures=cache.failures,
        requests=cache.requests,
    )
    for feed, price, expected in ((BTC, "101", "101"), (CROSS, "105", "1.05"), (BTC, "106", "106")):
        version = ready.version
        say(made, price)
        assert version < ready.version
        found = ready.get(feed, made.clock.monotonic())

        assert found is not None
        assert expected == str(found.quote.price)


async def test_a_quote_that_is_followed_is_renewed_at_once() -> None:
    """So is one that a followed feed is computed with."""
    made = made_cache()
    async with following(made, CROSS):
        say(made, "101")
        assert not made.cache.streamed_feeds.renew_wanted(10)

        assert ("101", "1.01") == (made.current(BTC), made.current(CROSS))
