from decimal import Context, Decimal

from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.prices.cross_rate import converted, in_currency, quotient
from services.aggregator.prices.feed_price import quote_of
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Quote, QuoteStatus, SourceQuote
from services.aggregator.prices.unit_error import ratio
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


BTC_USDT, BTC_USD, USDT_USD = Pair("BTC", "USDT"), Pair("BTC", "USD"), Pair("USDT", "USD")


def priced(source: str, pair: Pair, price: str) -> SourceQuote:
    """Return a source's price."""
    return SourceQuote(source, pair, Decimal(price), 1000, 9.0)


def conversion(pair: Pair) -> Pair | None:
    """Return the rate that a price in USDT needs."""
    return USDT_USD if pair.quote == "USDT" else None


def test_prices_in_a_coin_are_converted_by_its_live_price_whatever_that_is() -> None:
    """A coin at 0.93 makes 107527 of it 100000 dollars; what is in dollars stays."""
    quotes = [priced("binance", BTC_USDT, "107526.88"), priced("coinbase", BTC_USD, "100001")]
    usable, failures = in_currency(quotes, conversion, lambda _pair: leg(USDT_USD, "0.93"), 100)

    assert [Decimal("99999.9984"), Decimal(100001)] == sorted(quote.price for quote in usable)
    assert {} == failures


def test_a_price_in_a_coin_of_unknown_worth_counts_only_near_prices_in_dollars() -> None:
    """Within a percent of their median it does as it stands; else, and where there are none, it is missing."""
    dollars = [priced("coinbase", BTC_USD, "100000"), priced("kraken", BTC_USD, "100002")]
    for price, others, sources in (
        ("101000", dollars, ["binance", "coinbase", "kraken"]),
        ("101010", dollars, ["coinbase", "kraken"]),
        ("100000", [], []),
    ):
        usable, failures = in_currency(
            [priced("binance", BTC_USDT, price), *others], conversion, lambda _pair: None, 100
        )

        assert sources == sorted(quote.source for quote in usable)
        assert ({"binance"} if "binance" not in sources else set()) == set(failures)


@given(AMOUNTS, st.decimals(min_value=Decimal("0.5"), max_value=Decimal(2), places=4))
def test_a_coin_that_lost_its_peg_never_moves_the_price_by_more_than_the_bound(price: Decimal, worth: Decimal) -> None:
    """Its price known or not: whatever a coin is worth, a price in it is near that in dollars, or none."""
    quotes = [priced("binance", BTC_USDT, str(price / worth)), priced("coinbase", BTC_USD, str(price))]
    for rate in (leg(USDT_USD, worth), None):
        usable, _ = in_currency(quotes, conversion, lambda _pair, rate=rate: rate, 100)  # type: ignore[misc]

        assert all(ratio(quote.price, price) <= Decimal("1.0100001") for quote in usable)
