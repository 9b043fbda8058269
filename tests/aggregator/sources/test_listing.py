import asyncio
from collections.abc import Mapping

import pytest

from meshkit.clock import ManualClock
from services.aggregator.prices.errors import ProviderFault, UnknownPair
from services.aggregator.prices.pair import Pair
from services.aggregator.sources.listing import Listing, PairListing
from services.aggregator.sources.source import RateLimiter
from tests.aggregator.fakes import BTC, ETH


class Loads:
    """Count the loads, and fail while told to."""

    def __init__(self) -> None:
        self.count = 0
        self.fails = False

    async def load(self, _limiter: RateLimiter) -> Mapping[Pair, str]:
        """Return one pair."""
        self.count += 1
        await asyncio.sleep(0)
        if self.fails:
            raise ProviderFault("kraken", "down")
        return {BTC: "XXBTZUSD"}


async def test_concurrent_callers_share_one_load() -> None:
    """Ten callers at once load once."""
    loads = Loads()
    listing = Listing(loads.load, ManualClock())
    await asyncio.gather(*(listing.names() for _ in range(10)))

    assert 1 == loads.count


async def test_it_is_loaded_anew_after_a_day() -> None:
    """Within a day the list is kept."""
    loads, clock = Loads(), ManualClock()
    listing = Listing(loads.load, clock)
    for hours in (0, 23, 2):
        clock.advance(hours * 3600)
        await listing.names()

    assert 2 == loads.count


async def test_contradictions_reload_at_most_every_five_minutes() -> None:
    """Callers with typing errors cannot cause a load each."""
    loads, clock = Loads(), ManualClock()
    listing = Listing(loads.load, clock)
    for _ in range(50):
        await listing.names()
        listing.expire()
        clock.advance(10)

    assert 2 == loads.count


async def test_a_failed_load_is_an_error_and_repeated() -> None:
    """Nothing is remembered of a failure."""
    loads = Loads()
    listing = Listing(loads.load, ManualClock())
    loads.fails = True
    with pytest.raises(ProviderFault):
        await listing.names()
    loads.fails = False

    assert {BTC: "XXBTZUSD"} == await listing.names()


async def test_a_list_that_cannot_be_renewed_serves_on() -> None:
    """With the provider down, yesterday's names are better than none, and the next try is five minutes later."""
    loads, clock = Loads(), ManualClock()
    listing = Listing(loads.load, clock)
    await listing.names()
    loads.fails = True
    clock.advance(86_401)
    for _ in range(3):
        assert {BTC: "XXBTZUSD"} == await listing.names()
        clock.advance(150.1)

    assert 3 == loads.count


async def test_an_unlisted_pair_has_the_list_loaded_again_later() -> None:
    """A pair that was listed meanwhile is found five minutes after it was asked for in vain, not a day."""
    loads, clock = Loads(), ManualClock()
    listing = PairListing("kraken", loads.load, clock)
    asked, unknown = await listing.split([BTC, ETH])
    clock.advance(301)
    for _ in range(2):
        await listing.split([BTC, ETH])

    assert {BTC: "XXBTZUSD"} == asked
    assert [UnknownPair] == [type(outcome) for outcome in unknown.values()]
    assert 2 == loads.count
