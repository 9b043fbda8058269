"""Properties of the price process."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devkit.market.assets import ASSETS
from devkit.market.errors import UnknownAsset
from devkit.market.noise import UNIT, noise
from devkit.market.process import Pair, PriceProcess, _in_dollars
from meshkit.errors import InvalidInput

TIMES_MS = st.integers(0, 4 * 10**12)
SEEDS = st.integers(-(2**40), 2**40)
SYMBOLS = st.sampled_from(sorted(ASSETS))
PAIRS = st.builds(Pair, SYMBOLS, SYMBOLS)
PINNED = {
    "BTC/USD": Decimal("65405.90784277"),
    "ETH/USD": Decimal("3360.72811817"),
    "EUR/USD": Decimal("1.08216399"),
    "WSTETH/USD": Decimal("3959.45490683"),
    "ETH/BTC": Decimal("0.05138264"),
}


def moved_bps(before: Decimal, after: Decimal) -> Decimal:
    """Return how far a price went, in basis points of where it was."""
    return abs(after / before - 1) * 10_000


@given(SEEDS, PAIRS, TIMES_MS)
def test_price_is_positive_and_finite(seed: int, pair: Pair, t_ms: int) -> None:
    """Every pair has a positive finite price at every instant of every seed."""
    price = PriceProcess(seed).price(pair, t_ms)

    assert price.is_finite()
    assert price > 0


@given(SEEDS, PAIRS, TIMES_MS)
def test_price_moves_little_within_a_second(seed: int, pair: Pair, t_ms: int) -> None:
    """Within a second no price moves by 10 bps, wherever the ticks fall."""
    process = PriceProcess(seed)

    moved = moved_bps(process.price(pair, t_ms), process.price(pair, t_ms + 1000))

    # A pair of two tokens whose walks are each at the worst possible slope for a whole second.
    assert moved < 10


@given(SEEDS, PAIRS, TIMES_MS)
def test_same_seed_same_price(seed: int, pair: Pair, t_ms: int) -> None:
    """Two processes with one seed agree to the last digit, however much was asked in between."""
    first = PriceProcess(seed).price(pair, t_ms)
    _in_dollars.cache_clear()

    assert first == PriceProcess(seed).price(pair, t_ms)


@given(SEEDS, TIMES_MS)
def test_prices_are_constant_between_ticks(seed: int, t_ms: int) -> None:
    """A price changes only at multiples of the tick."""
    process, pair = PriceProcess(seed, tick_ms=250), Pair("BTC", "USD")

    assert process.price(pair, process.tick(t_ms)) == process.price(pair, process.tick(t_ms) + 249)


@given(SEEDS, SYMBOLS, SYMBOLS, SYMBOLS, TIMES_MS)
def test_crosses_agree(seed: int, a: str, b: str, c: str, t_ms: int) -> None:
    """A/B times B/C is A/C up to the last digits: no arbitrage between reference prices."""
    process = PriceProcess(seed)

    detour = process.price(Pair(a, b), t_ms) * process.price(Pair(b, c), t_ms)

    assert abs(detour / process.price(Pair(a, c), t_ms) - 1) < Decimal("1e-24")


@given(SEEDS, st.integers(1, 10**6), TIMES_MS)
def test_noise_is_bounded_and_continuous(seed: int, period_ms: int, t_ms: int) -> None:
    """Noise stays in [-UNIT, UNIT] and moves by at most 2 UNIT / period in a millisecond."""
    here, next_ms = noise(seed, "k", period_ms, t_ms), noise(seed, "k", period_ms, t_ms + 1)

    assert abs(here) <= UNIT
    assert abs(next_ms - here) <= 2 * UNIT // period_ms + 1


def test_seed_is_pinned() -> None:
    """Seed 42 gives the prices it always gave: a change of the process must be a decision."""
    actual = {
        text: round(PriceProcess(42).price(Pair.parse(text), 1_700_000_000_000), 8)
        for text in ("BTC/USD", "ETH/USD", "EUR/USD", "WSTETH/USD", "ETH/BTC")
    }

    assert PINNED == actual


def test_seeds_differ() -> None:
    """Another seed gives another path."""
    pair = Pair("BTC", "USD")

    assert PriceProcess(1).price(pair, 10**12) != PriceProcess(2).price(pair, 10**12)


def test_tokens_move_over_minutes() -> None:
    """A token's price is alive: over an hour it leaves a band of 20 bps."""
    process, pair = PriceProcess(42), Pair("BTC", "USD")
    prices = [process.price(pair, 1_700_000_000_000 + minute * 60_000) for minute in range(60)]

    assert moved_bps(min(prices), max(prices)) > 20


@given(SEEDS, TIMES_MS)
def test_stablecoin_stays_close_to_a_dollar(seed: int, t_ms: int) -> None:
    """USDT/USD never leaves 1 by 25 bps."""
    price = PriceProcess(seed).price(Pair("USDT", "USD"), t_ms)

    assert moved_bps(Decimal(1), price) < 25


@given(SEEDS, TIMES_MS)
def test_wrapped_tokens_follow_what_they_wrap(seed: int, t_ms: int) -> None:
    """WBTC stays within 1 % of BTC, whatever BTC does."""
    price = PriceProcess(seed).price(Pair("WBTC", "BTC"), t_ms)

    assert moved_bps(Decimal(1), price) < 100


@pytest.mark.parametrize("text", ["", "BTC", "BTC/", "/USD", "BTC/USD/EUR", "BTC-USD"])
def test_malformed_pair_is_refused(text: str) -> None:
    """A text that is not BASE/QUOTE is refused with what was found."""
    with pytest.raises(InvalidInput) as caught:
        Pair.parse(text)

    assert text == caught.value.found


def test_unknown_asset_is_named_with_the_nearest() -> None:
    """An asset that does not exist is an error that says which and what was perhaps meant."""
    with pytest.raises(UnknownAsset) as caught:
        Pair.parse("BTD/USD")

    assert "no asset 'BTD' on this market; did you mean BTC?" == str(caught.value)


def test_pair_reads_any_case() -> None:
    """Case and surrounding blanks do not matter."""
    assert Pair("BTC", "USD") == Pair.parse(" btc/usd ")
