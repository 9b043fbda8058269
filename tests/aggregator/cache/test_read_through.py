"""A price that is asked for: from the cache, from a failure just made, or by a fetch."""

import asyncio

from services.aggregator.fetching.single_flight import PendingFetch
from services.aggregator.prices.errors import ProviderFault, TooManyPairs, UnknownPair
from services.aggregator.prices.quote import SourceOutcome, SourceQuote
from tests.aggregator.cache.making import MadeCache
from tests.aggregator.fakes import BTC, ETH, settings


def look_up(made: MadeCache) -> SourceOutcome | PendingFetch:
    """Ask for a pair."""
    return made.cache.read_through.look_up("kraken", BTC)


async def test_what_is_not_there_is_fetched_once() -> None:
    """Two requests share a fetch, which registers the pair and fills the cache; a third one needs none."""
    made = MadeCache(settings("kraken"))
    made.sources["kraken"].prices[BTC] = "100"
    first, second = look_up(made), look_up(made)

    assert isinstance(first, PendingFetch)
    assert first is second
    while not first.outcome.done():
        made.clock.advance(0.01)
        await asyncio.sleep(0)

    assert first.outcome.result() is look_up(made)
    assert [[BTC]] == made.sources["kraken"].calls
    assert ({"kraken": 1}, {"kraken": 2}) == (made.cache.requests.hits(), made.cache.requests.misses())
    await made.cache.close()


def test_a_fresh_price_is_the_answer_whatever_failed_since() -> None:
    """A failed refresh changes nothing while the price holds, and each request renews the registration."""
    made = MadeCache(settings("kraken"))
    made.pin(BTC)
    made.fetched("kraken", "100")
    made.fetched("kraken", ProviderFault("kraken", "down"))
    made.clock.advance(3)

    assert isinstance(look_up(made), SourceQuote)
    assert 3.0 == made.cache.registry.of_source("kraken")[0].last_request_at


async def test_a_failure_is_the_answer_until_its_time_is_over() -> None:
    """At the very moment at which the pair may be fetched again it is."""
    made = MadeCache(settings("kraken"))
    made.pin(BTC)
    error = ProviderFault("kraken", "down")
    made.fetched("kraken", error)
    made.clock.advance(0.249)
    before = look_up(made)
    made.clock.advance(0.001)

    assert before is error
    assert isinstance(look_up(made), PendingFetch)
    await made.cache.close()


def test_a_pair_just_found_unknown_is_not_registered_again() -> None:
    """Asking for it again costs neither a place nor a call."""
    made = MadeCache(settings("kraken"))
    made.cache.registry.touch("kraken", BTC)
    error = UnknownPair(BTC, "kraken")
    made.fetched("kraken", error)

    assert (error, 0) == (look_up(made), len(made.cache.registry))


def test_a_full_registry_is_the_answer() -> None:
    """A new pair is refused with its error, without a fetch."""
    made = MadeCache(settings("kraken", most_pairs=1))
    made.cache.registry.touch("kraken", ETH)

    assert isinstance(look_up(made), TooManyPairs)
