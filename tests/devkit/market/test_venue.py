"""Properties of an exchange's own quotes."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from devkit.market.process import Pair, PriceProcess
from devkit.market.venue import Venue, market

TIMES_MS = st.integers(10**11, 4 * 10**12)
PAIRS = st.sampled_from([Pair.parse(t) for t in ("BTC/USD", "ETH/USDT", "EUR/USD", "SHIB/USD", "DOGE/BTC", "USD/JPY")])
SOURCES = st.sampled_from(["binance", "kraken", "coinbase"])


@given(SOURCES, PAIRS, TIMES_MS)
def test_last_lies_between_bid_and_ask(source: str, pair: Pair, t_ms: int) -> None:
    """Rounding to the increment never takes the last trade out of [bid, ask], nor these out of the day's range."""
    tick = Venue(source, PriceProcess(42)).tick(market(pair, most_decimals=8), t_ms)

    assert tick.low <= tick.bid <= tick.last <= tick.ask <= tick.high


@given(SOURCES, PAIRS, TIMES_MS)
def test_last_is_close_to_the_reference(source: str, pair: Pair, t_ms: int) -> None:
    """No exchange strays from the reference by 5 bps, but for the rounding to its increment."""
    process, listed = PriceProcess(42), market(pair, most_decimals=10)
    reference = process.price(pair, t_ms)

    strayed = abs(Venue(source, process).tick(listed, t_ms).last - reference)

    assert strayed < reference * Decimal("0.0005") + listed.increment


@given(PAIRS, TIMES_MS)
def test_time_is_that_of_the_tick(pair: Pair, t_ms: int) -> None:
    """The trade's time is never in the future and never older than a tick."""
    tick = Venue("kraken", PriceProcess(42, tick_ms=500)).tick(market(pair, most_decimals=8), t_ms)

    assert 0 <= t_ms - tick.time_ms < 500


def test_exchanges_differ() -> None:
    """Three exchanges have three opinions of one market at one instant."""
    listed = market(Pair("BTC", "USD"), most_decimals=8)
    prices = {
        Venue(s, PriceProcess(42)).tick(listed, 1_700_000_000_000).last for s in ("binance", "kraken", "coinbase")
    }

    assert 3 == len(prices)


def test_increment_leaves_seven_digits() -> None:
    """Prices have about seven significant digits as far as the exchange's decimals go."""
    pairs = ("BTC/USD", "ETH/USD", "EUR/USD", "SHIB/USD")

    assert [2, 3, 6, 10] == [market(Pair.parse(text), most_decimals=10).decimals for text in pairs]
