"""Feeds' quotes made of cached prices: medians, quotients, conversions, and their ends."""

from decimal import Decimal

from services.aggregator.cache.feed_quotes import cross
from services.aggregator.prices.errors import ConversionMissing, TooFewSources
from services.aggregator.prices.median import quote_of
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Quote, SourceQuote
from tests.aggregator.cache.making import MadeCache
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
    without = made.cache.feed_quotes.price(BTC, [quote], {}, 1)
    made.fetched("kraken", "0.99", TETHER)

    assert isinstance(without, ConversionMissing)
    assert "USDT/USD" in str(without)
    assert "99.00" == made.current(BTC)


def test_the_others_are_the_fresh_prices_of_the_same_feeds() -> None:
    """Neither the source itself nor an expired price is among those that a jump is held against."""
    made = MadeCache()
    made.pin(BTC, ETH)
    others = made.cache.feed_quotes.others_median
    made.fetched("kraken", "100")

    assert others("kraken", BTC) is None

    made.fetched("binance", "102")
    made.fetched("coinbase", "104")
    made.fetched("coinbase", "5", ETH)

    assert (Decimal(103), Decimal(101)) == (others("kraken", BTC), others("coinbase", BTC))
    assert others("kraken", Pair("SOL", "USD")) is None

    made.clock.advance(10)

    assert others("kraken", BTC) is None


def test_a_quotient_has_the_error_of_its_first_leg_without_a_price() -> None:
    """Numerator first, then denominator."""
    quote = quote_of(BTC, [SourceQuote(NAMES[0], BTC, Decimal(100), 0, 9.0)], 1)
    errors = [TooFewSources(feed, 0, 1, {}) for feed in (BTC, ETH)]
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
