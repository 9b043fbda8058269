import asyncio
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from meshkit.clock import ManualClock
from services.aggregator.prices.errors import ProviderFault
from services.aggregator.sources.listing import DOUBT_RETRY_S, DOUBT_S, SHRINK_SHARE, Listing
from services.aggregator.sources.source import RateLimiter

NAMES = {"BTC": "XXBTZUSD"}


class Loads:
    """Count the loads, and fail, hang or answer with fewer entries while told to."""

    def __init__(self) -> None:
        self.count = 0
        self.fails = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.found: Mapping[str, str] = NAMES

    async def load(self, _limiter: RateLimiter) -> Mapping[str, str]:
        """Return what is told."""
        self.count += 1
        await asyncio.sleep(0)
        await self.gate.wait()
        if self.fails:
            raise ProviderFault("kraken", "down")
        return self.found


def listing_of(loads: Loads, clock: ManualClock) -> Listing[Mapping[str, str]]:
    """Return a listing whose size counts."""
    return Listing("kraken", loads.load, clock, size=len)


async def test_concurrent_callers_share_one_load() -> None:
    """Ten callers at once load once."""
    loads = Loads()
    listing = listing_of(loads, ManualClock())
    await asyncio.gather(*(listing.names() for _ in range(10)))

    assert 1 == loads.count


async def test_it_is_loaded_anew_after_a_day() -> None:
    """Within a day the list is kept."""
    loads, clock = Loads(), ManualClock()
    listing = listing_of(loads, clock)
    for hours in (0, 23, 2):
        clock.advance(hours * 3600)
        await listing.names()

    assert 2 == loads.count


async def test_contradictions_reload_at_most_every_five_minutes() -> None:
    """Callers with typing errors cannot cause a load each."""
    loads, clock = Loads(), ManualClock()
    listing = listing_of(loads, clock)
    for _ in range(50):
        await listing.names()
        listing.expire()
        clock.advance(10)

    assert 2 == loads.count


async def test_a_failed_load_is_an_error_and_repeated() -> None:
    """Nothing is remembered of a failure."""
    loads = Loads()
    listing = listing_of(loads, ManualClock())
    loads.fails = True
    with pytest.raises(ProviderFault):
        await listing.names()
    loads.fails = False

    assert NAMES == await listing.names()


async def test_a_list_that_cannot_be_renewed_serves_on() -> None:
    """With the provider down, yesterday's names are better than none, and the next try is five minutes later."""
    loads, clock = Loads(), ManualClock()
    listing = listing_of(loads, clock)
    await listing.names()
    loads.fails = True
    clock.advance(86_401)
    with capture_logs() as logs:
        for _ in range(3):
            assert NAMES == await listing.names()
            clock.advance(150.1)

    assert 3 == loads.count
    assert ["listing_not_loaded"] == [entry["event"] for entry in logs]


async def test_a_list_whose_renewal_hangs_serves_on() -> None:
    """A fetch waits for the new list for a moment only, and the load that hangs is the only one."""
    loads, clock = Loads(), ManualClock()
    listing = listing_of(loads, clock)
    await listing.names()
    loads.gate.clear()
    clock.advance(86_401)
    for _ in range(2):
        assert NAMES == await listing.names()
    assert 2 == loads.count

    loads.found = {"BTC": "NEW"}
    loads.gate.set()
    assert {"BTC": "NEW"} == await listing.names()


async def test_who_gives_up_takes_the_load_from_nobody() -> None:
    """A fetch that is cancelled while it waits leaves the load to the others."""
    loads = Loads()
    listing = listing_of(loads, ManualClock())
    loads.gate.clear()
    first, second = (asyncio.create_task(listing.names()) for _ in range(2))
    await asyncio.sleep(0.01)
    first.cancel()
    loads.gate.set()

    assert NAMES == await second
    assert 1 == loads.count


async def test_a_list_that_has_shrunk_is_doubted() -> None:
    """The old one is kept, and the provider is asked again soon; once the list is whole again it is believed."""
    loads, clock = Loads(), ManualClock()
    listing = listing_of(loads, clock)
    loads.found = whole = {str(number): "" for number in range(100)}
    await listing.names()
    loads.found = {"0": ""}
    clock.advance(86_401)
    with capture_logs() as logs:
        for _ in range(5):
            assert whole == await listing.names()
            clock.advance(DOUBT_RETRY_S + 1)
    loads.found = more = {str(number): "" for number in range(95)}

    assert more == await listing.names()
    assert 7 == loads.count
    assert [("listing_doubted", 1, 100)] == [
        (entry["event"], entry["entries"], entry["entries_before"]) for entry in logs
    ]


async def test_a_list_that_stays_short_is_believed_in_the_end() -> None:
    """What a provider says for ten minutes is what it means."""
    loads, clock = Loads(), ManualClock()
    listing = listing_of(loads, clock)
    loads.found = {str(number): "" for number in range(100)}
    await listing.names()
    loads.found = short = {"0": ""}
    clock.advance(86_401)
    doubted_s = 0.0
    while await listing.names() != short:
        clock.advance(DOUBT_RETRY_S + 1)
        doubted_s += DOUBT_RETRY_S + 1

    assert DOUBT_S <= doubted_s <= DOUBT_S + 2 * DOUBT_RETRY_S + 2


@given(st.integers(1, 500), st.integers(0, 500))
def test_only_a_great_loss_is_doubted(was: int, size: int) -> None:
    """A list of nine tenths and more is believed at once."""

    async def load_twice() -> int:
        loads, clock = Loads(), ManualClock()
        listing = listing_of(loads, clock)
        loads.found = {str(number): "" for number in range(was)}
        await listing.names()
        loads.found = {str(number): "" for number in range(size)}
        clock.advance(86_401)
        return len(await listing.names())

    assert (size if size >= (1 - SHRINK_SHARE) * was else was) == asyncio.run(load_twice())
