from decimal import Decimal

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
