"""The parts of the cache together: where a price goes, and how all of it ends."""

import asyncio

from meshkit.errors import Unavailable
from tests.aggregator.cache.making import MadeCache
from tests.aggregator.fakes import BTC, settings


async def test_a_fetched_price_goes_all_the_way() -> None:
    """From the source to the current quote, and what is known of the pair goes along."""
    made = MadeCache(settings("kraken"))
    made.sources["kraken"].prices[BTC] = "100"
    made.cache.registry.pin("kraken", BTC)
    fetch = made.cache.refresher.fetch("kraken", BTC)
    while not fetch.outcome.done():
        await asyncio.sleep(0)
        made.clock.advance(0.005)

    assert ("100", "100") == (made.cached("kraken"), made.current())
    assert made.cache.quotes.get("kraken", BTC) is fetch.outcome.result()
    await made.cache.close()


async def test_closing_ends_what_is_under_way() -> None:
    """Whoever waits for a source that hangs has an error, and no task is left."""
    made = MadeCache(settings("kraken"))
    made.sources["kraken"].gate.clear()
    fetch = made.cache.refresher.fetch("kraken", BTC)
    for _ in range(5):
        await asyncio.sleep(0)
        made.clock.advance(0.01)
    await made.cache.close()

    assert isinstance(fetch.outcome.result(), Unavailable)
    assert 1 == len(asyncio.all_tasks())
