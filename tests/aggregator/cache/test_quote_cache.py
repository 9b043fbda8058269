from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.clock import ManualClock
from services.aggregator.cache.quote_cache import QuoteCache
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import SourceQuote
from tests.aggregator.fakes import BTC


@given(ttl_ms=st.integers(1, 100_000), age_ms=st.integers(0, 200_000))
def test_a_quote_is_served_exactly_until_it_expires(ttl_ms: int, age_ms: int) -> None:
    """A time to live of any number of milliseconds, not only whole seconds, holds to the millisecond."""
    clock = ManualClock(1_000)
    cache = QuoteCache(clock, 10)
    quote = SourceQuote("kraken", BTC, Decimal(1), clock.time_ms(), clock.monotonic() + ttl_ms / 1000)
    cache.put(quote)
    clock.advance(age_ms / 1000)

    assert (quote if age_ms < ttl_ms else None) == cache.get("kraken", BTC)


def test_sources_and_pairs_are_apart() -> None:
    """A price of one source or pair is never another's."""
    cache = QuoteCache(ManualClock(), 10)
    cache.put(SourceQuote("kraken", BTC, Decimal(1), 0, 9.0))

    assert [None, None] == [cache.get("binance", BTC), cache.get("kraken", Pair("USD", "BTC"))]


def test_the_cache_is_bounded() -> None:
    """The capacity holds, whatever is put in."""
    cache = QuoteCache(ManualClock(), 3)
    for number in range(10):
        cache.put(SourceQuote("kraken", Pair(f"A{number}", "USD"), Decimal(1), 0, 9.0))

    assert 3 == len(list(cache.fresh()))


def test_expired_quotes_are_not_listed() -> None:
    """What `fresh` lists can be served."""
    clock = ManualClock()
    cache = QuoteCache(clock, 3)
    cache.put(SourceQuote("kraken", BTC, Decimal(1), 0, 1.0))
    clock.advance(1.0)

    assert [] == list(cache.fresh())


def timed(price: int, exchange_time_ms: int | None, received_ms: int = 10_000) -> SourceQuote:
    """Return a price of a moment by the exchange's clock, that holds for 9 s from its arrival on."""
    return SourceQuote("kraken", BTC, Decimal(price), received_ms, received_ms / 1000 + 9, exchange_time_ms)


@pytest.mark.parametrize(
    ("present_ms", "time_ms", "received_ms", "expected"),
    [
        (9_000, 8_999, 10_001, 1),
        (9_000, 9_000, 10_001, 2),
        (9_000, 9_001, 10_001, 2),
        # Without a time of its own, an answer may be two seconds old.
        (9_000, None, 10_999, 1),
        (9_000, None, 11_000, 2),
        (None, None, 10_000, 2),
        (None, 1, 10_000, 2),
    ],
)
def test_of_two_prices_the_later_one_by_the_exchanges_clock_is_served(
    present_ms: int | None, time_ms: int | None, received_ms: int, expected: int
) -> None:
    """Of a tie it is the one that came last, whose time to live is the longer; `put` returns the one that is served."""
    cache = QuoteCache(ManualClock(10_000), 10)
    quotes = {1: timed(1, present_ms), 2: timed(2, time_ms, received_ms)}
    cache.put(quotes[1])
    served = cache.put(quotes[2])

    assert quotes[expected] is served is cache.get("kraken", BTC)


def test_of_prices_that_expire_together_the_least_used_one_makes_room() -> None:
    """A full cache forgets who was looked at longest ago; of a tie in expiry too, and never the newcomer."""
    cache = QuoteCache(ManualClock(), 3)
    pairs = [Pair(name, "USD") for name in "ABCD"]
    for pair in pairs[:3]:
        cache.put(SourceQuote("kraken", pair, Decimal(1), 0, 9.0))
    cache.get("kraken", pairs[0])
    cache.put(SourceQuote("kraken", pairs[3], Decimal(1), 0, 9.0))

    assert [True, False, True, True] == [cache.get("kraken", pair) is not None for pair in pairs]


def test_an_expired_price_makes_room_before_one_that_is_fresh() -> None:
    """However long ago the fresh one was used."""
    clock = ManualClock()
    cache = QuoteCache(clock, 2)
    pairs = [Pair(name, "USD") for name in "ABC"]
    cache.put(SourceQuote("kraken", pairs[0], Decimal(1), 0, 9.0))
    cache.put(SourceQuote("kraken", pairs[1], Decimal(1), 0, 5.0))
    clock.advance(5)
    cache.put(SourceQuote("kraken", pairs[2], Decimal(1), 0, 9.0))

    assert [True, False, True] == [cache.get("kraken", pair) is not None for pair in pairs]


def test_a_dropped_price_is_gone() -> None:
    """Dropping it twice is no error."""
    cache = QuoteCache(ManualClock(), 2)
    cache.put(timed(1, None))
    cache.drop("kraken", BTC)
    cache.drop("kraken", BTC)

    assert cache.get("kraken", BTC) is None
