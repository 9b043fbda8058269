"""Feeds' quotes made of cached prices: medians, quotients, conversions, and their ends."""

from decimal import Decimal
from typing import Any

import pytest

from services.aggregator.fetching.source_jump_guard import Others, Standing
from services.aggregator.prices.errors import ConversionMissing, TooFewSources
from services.aggregator.prices.feed_price import quote_of
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Quote, Result, SourceQuote
from tests.aggregator.cache.making import START_MS, MadeCache
from tests.aggregator.fakes import BTC, ETH, NAMES, settings

RATIO = Pair("BTC", "ETH")
TETHER, BTC_TETHER = Pair("USDT", "USD"), Pair("BTC", "USDT")


def test_a_quote_is_withdrawn_when_its_first_price_expires() -> None:
    """At that moment the feed is made anew of the prices that are left, or has an error that tells why not."""
    made = MadeCache()
    made.pin(BTC)
    made.fetched("binance", "100")
    made.clock.advance(4)
    made.fetched("coinbase", "101")
    made.fetched("kraken", "103")

    assert ("101", 10.0) == (made.current(), made.cache.feed_quotes.withdraw_expired())

    made.clock.advance(6)

    assert made.cache.feed_quotes.fresh(BTC) is None
    assert ("102", 14.0) == (_after_withdrawal(made), made.cache.feed_quotes.withdraw_expired())

    made.clock.advance(4)

    assert "TOO_FEW_SOURCES" == _after_withdrawal(made)
    assert made.cache.feed_quotes.withdraw_expired() is None


def test_a_feed_that_crashes_costs_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect that one feed's prices bring to light is that feed's error; those that expire with it are made anew."""
    made = MadeCache()
    made.pin(BTC, ETH)
    for source in NAMES:
        made.fetched(source, "100", BTC)
        made.fetched(source, "5", ETH)
    price = made.cache.feed_quotes.price

    def crash(feed: Pair, *given: Any) -> Result:
        if feed == BTC:
            raise TypeError("ours")
        return price(feed, *given)

    monkeypatch.setattr(made.cache.feed_quotes, "price", crash)
    made.clock.advance(5)
    for source in NAMES:
        made.fetched(source, "101", BTC)
        made.fetched(source, "6", ETH)
    assert "6" == made.current(ETH)
    made.clock.advance(6)
    made.cache.feed_quotes.withdraw_expired()

    assert ("INTERNAL", "6") == (made.current(BTC), made.current(ETH))


def test_too_few_prices_are_no_news() -> None:
    """While the other sources are still asked, the first price of a feed changes nothing."""
    made = MadeCache()
    made.pin(BTC)
    made.fetched("binance", "100")

    assert (None, 0) == (made.current(), made.cache.current.version)


def test_a_leg_renews_the_feeds_computed_with_it() -> None:
    """Each price of either leg makes another quotient; it ends with the leg that ends first."""
    made = MadeCache(settings("kraken", crosses={RATIO: (BTC, ETH)}))
    made.pin(BTC, ETH)
    made.fetched("kraken", "100", BTC)

    assert made.current(RATIO) is None

    made.clock.advance(5)
    made.fetched("kraken", "4", ETH)

    assert "25" == made.current(RATIO)

    made.fetched("kraken", "5", ETH)

    assert "20" == made.current(RATIO)

    made.clock.advance(5)
    made.cache.feed_quotes.withdraw_expired()

    assert "TOO_FEW_SOURCES" == made.current(RATIO)


def test_a_stablecoins_price_is_converted_by_its_own() -> None:
    """Without a fresh price of the coin there is no price, and the error names the coin."""
    feeds = {BTC: {"kraken": BTC_TETHER}, TETHER: {"kraken": TETHER}}
    made = MadeCache(settings("kraken", feeds=feeds, converts_stablecoins=True))
    made.pin(BTC_TETHER, TETHER)
    made.fetched("kraken", "100", BTC_TETHER)
    quote = made.cache.quotes.get("kraken", BTC_TETHER)
    assert quote is not None
    without = made.cache.feed_quotes.price(BTC, [quote], {}, feeds[BTC])
    made.fetched("kraken", "0.99", TETHER)

    assert isinstance(without, ConversionMissing)
    assert "USDT/USD" in str(without)
    assert "99.00" == made.current(BTC)


def said(source: str, price: str, pair: Pair = BTC) -> SourceQuote:
    """Return what a source says now."""
    return SourceQuote(source, pair, Decimal(price), START_MS, 10.0)


def test_a_price_stands_as_the_other_fresh_prices_of_its_feeds_have_it() -> None:
    """Nobody else, one that is near, one that is not, a majority, and again nobody when theirs have expired."""
    made = MadeCache(settings(max_spread_bps=100, jump_guard_bps=1_000))
    made.pin(BTC, ETH)
    standing = made.cache.feed_quotes.standing

    assert Standing() == standing(said("kraken", "100"))

    made.fetched("binance", "102")

    assert Standing(Others.DIFFER, is_near_one=True) == standing(said("kraken", "100"))
    assert Standing(Others.DIFFER) == standing(said("kraken", "150"))
    made.fetched("coinbase", "102.1")

    assert Standing(Others.AGREE, is_near_one=True, last=Decimal("102.1")) == standing(said("kraken", "102.2"))
    assert Standing() == standing(said("kraken", "1", Pair("SOL", "USD")))

    made.clock.advance(10)

    assert Others.SILENT is standing(said("kraken", "150")).others


def test_sources_that_begin_to_disagree_have_their_quote_withdrawn() -> None:
    """At once, not when the last price that they agreed on expires."""
    made = MadeCache(settings("binance", "kraken", max_spread_bps=100))
    made.pin(BTC)
    made.fetched("binance", "100")
    made.fetched("kraken", "100.5")

    assert "100.25" == made.current()

    made.fetched("kraken", "103")

    assert "SOURCES_DISAGREE" == made.current()


def test_a_reference_is_what_a_computed_feed_is_held_against_once() -> None:
    """A quotient that looks like the last answer on chain in another unit is none, until one was that does not."""
    made = MadeCache(settings("kraken", crosses={RATIO: (BTC, ETH)}))
    made.pin(BTC, ETH)
    made.cache.feed_quotes.refer(RATIO, Decimal(25))
    made.fetched("kraken", "10000", BTC)
    made.fetched("kraken", "4", ETH)

    assert made.current(RATIO) is None

    made.fetched("kraken", "101", BTC)

    assert "25.25" == made.current(RATIO)

    made.fetched("kraken", "10100", BTC)

    assert "2525" == made.current(RATIO)


def test_a_quotient_has_the_error_of_its_first_leg_without_a_price() -> None:
    """Numerator first, then denominator."""
    quote = quote_of(BTC, [SourceQuote(NAMES[0], BTC, Decimal(100), 0, 9.0)], 1)
    errors = [TooFewSources(feed, 0, 1, {}) for feed in (BTC, ETH)]
    cross = MadeCache().cache.feed_quotes.cross
    made = cross(RATIO, quote, quote)

    assert isinstance(made, Quote)
    assert (RATIO, Decimal(1)) == (made.pair, made.price)
    assert [errors[0], errors[0], errors[1]] == [
        cross(RATIO, errors[0], quote),
        cross(RATIO, errors[0], errors[1]),
        cross(RATIO, quote, errors[1]),
    ]


def _after_withdrawal(made: MadeCache) -> str | None:
    made.cache.feed_quotes.withdraw_expired()
    return made.current()
