from decimal import Context, Decimal

from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.prices.cross_rate import converted, quotient
from services.aggregator.prices.feed_price import quote_of
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Quote, QuoteStatus, SourceQuote
from tests.aggregator.fakes import ETH

SHIB, FEED = Pair("SHIB", "USD"), Pair("SHIB", "ETH")
AMOUNTS = st.decimals(min_value=Decimal("1E-12"), max_value=Decimal("1E9"), places=12)


def leg(pair: Pair, *prices: str | Decimal, mapped: int | None = None, expires_at: float = 9.0) -> Quote:
    """Return the quote of a leg with these source prices."""
    quotes = [SourceQuote(f"s{i}", pair, Decimal(price), 1000 + i, expires_at) for i, price in enumerate(prices)]
    return quote_of(pair, quotes, len(prices) if mapped is None else mapped)


def test_a_tiny_quotient_has_thirty_digits() -> None:
    """SHIB in ETH keeps all its digits, where sixteen places would leave eight."""
    quote = quotient(FEED, leg(SHIB, "0.00001234"), leg(ETH, "4123.45"))

    assert Context(prec=30).divide(Decimal("0.00001234"), Decimal("4123.45")) == quote.price
    assert 30 == len(quote.price.as_tuple().digits)


@given(AMOUNTS, AMOUNTS)
def test_the_quotient_times_the_denominator_is_the_numerator(above: Decimal, below: Decimal) -> None:
    """To thirty digits, for any two prices."""
    price = quotient(FEED, leg(SHIB, above), leg(ETH, below)).price

    assert abs(Context(prec=60).multiply(price, below) - above) <= above * Decimal("1E-29")


def test_both_legs_are_told() -> None:
    """The answer has the sources of both, the earlier expiry, and is degraded if one leg is."""
    quote = quotient(FEED, leg(SHIB, "1", "2", expires_at=5.0), leg(ETH, "4", mapped=2))

    assert [SHIB, SHIB, ETH] == [used.pair for used in quote.sources]
    assert (5.0, QuoteStatus.DEGRADED) == (quote.expires_at, quote.status)
    assert QuoteStatus.FRESH is quotient(FEED, leg(SHIB, "1"), leg(ETH, "4")).status


def test_the_spread_is_that_of_the_quotients() -> None:
    """From 1/5 to 2/4 at a price of 1.5/4.5: 9000 basis points."""
    assert Decimal("9000.00") == quotient(FEED, leg(SHIB, "1", "2"), leg(ETH, "4", "5")).spread_bps


def test_a_stablecoin_price_is_converted() -> None:
    """100 USDT at 0.98 USD are 98 USD, stale as soon as either price is."""
    quote = SourceQuote("binance", Pair("BTC", "USDT"), Decimal(100), 1000, 9.0)
    in_usd = converted(quote, leg(Pair("USDT", "USD"), "0.98", expires_at=4.0))

    assert (Decimal("98.00"), 4.0, quote.pair) == (in_usd.price, in_usd.expires_at, in_usd.pair)
