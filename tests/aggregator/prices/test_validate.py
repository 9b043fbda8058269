from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.prices.errors import PriceRefused
from services.aggregator.prices.quote import SourceQuote, Tick
from services.aggregator.prices.validate import accept
from tests.aggregator.fakes import BTC

NOW_MS = 1_800_000_000_000


def accepted(tick: Tick) -> SourceQuote:
    """Return what passes the door at NOW_MS."""
    return accept("kraken", BTC, tick, received_ms=NOW_MS, received_at=5.0, ttl_ms=10_000, max_age_ms=3_600_000)


@pytest.mark.parametrize(
    "price",
    [
        "0",
        "-1",
        "NaN",
        "sNaN",
        "Infinity",
        "-Infinity",
        "undefined",
        "",
        "1E+30",
        "1E-30",
        None,
        True,
        1.5,
        [],
        {},
        "9" * 70,
    ],
)
def test_a_doubtful_number_is_refused(price: object) -> None:
    """Neither zero, negative, not finite, implausible nor non-decimal prices pass; nor does a binary float."""
    with pytest.raises(PriceRefused):
        accepted(Tick(price))


@given(st.decimals(min_value=Decimal("1E-18"), max_value=Decimal("1E15"), places=18))
def test_a_plausible_number_passes_unchanged(price: Decimal) -> None:
    """Text of up to 33 digits becomes exactly that number."""
    assert price == accepted(Tick(format(price, "f"))).price


@pytest.mark.parametrize("offset_ms", [60_001, -3_600_000, -NOW_MS, NOW_MS * 999])
def test_an_implausible_exchange_time_is_refused(offset_ms: int) -> None:
    """A time over a minute ahead or over an hour behind, as seconds taken for milliseconds would be, is refused."""
    with pytest.raises(PriceRefused, match="exchange time"):
        accepted(Tick("1", NOW_MS + offset_ms))


@pytest.mark.parametrize("offset_ms", [60_000, 0, -3_599_999])
def test_a_plausible_exchange_time_passes(offset_ms: int) -> None:
    """The bounds themselves are allowed, and the time is kept."""
    assert NOW_MS + offset_ms == accepted(Tick("1", NOW_MS + offset_ms)).exchange_time_ms


@pytest.mark.parametrize("price", ["94.9", "106.1"])
def test_a_last_trade_far_outside_the_book_is_refused(price: str) -> None:
    """A price over 5 % below the bid or above the ask is refused."""
    with pytest.raises(PriceRefused, match="far"):
        accepted(Tick(price, bid="100", ask="101"))


def test_a_last_trade_near_the_book_passes() -> None:
    """A price within 5 % of the book passes."""
    assert Decimal(96) == accepted(Tick("96", bid="100", ask="101")).price


def test_a_book_that_is_no_number_is_refused() -> None:
    """A bid that cannot be read cannot vouch for the price."""
    with pytest.raises(PriceRefused):
        accepted(Tick("96", bid="", ask="101"))


@pytest.mark.parametrize("ahead_ms", [1, 50_000, 60_000])
def test_a_time_ahead_of_us_counts_as_that_of_the_arrival(ahead_ms: int) -> None:
    """A stamp of the future makes a price neither newer nor longer-lived than its arrival does."""
    quote = accepted(Tick("1", NOW_MS + ahead_ms))

    assert (NOW_MS, 15.0) == (quote.observed_ms, quote.expires_at)


@pytest.mark.parametrize("time", [True, "1800000000000", Decimal("1800000000000.5"), 1.8e12, [], {}])
def test_a_time_that_is_no_whole_number_is_refused(time: object) -> None:
    """It is told as a wrong time, whatever it is."""
    with pytest.raises(PriceRefused) as caught:
        accepted(Tick("1", time))  # type: ignore[arg-type]

    assert "time" == caught.value.rule


def test_a_trade_before_the_one_served_last_is_refused() -> None:
    """It is no news, however young; an equally old one is."""
    tick = Tick("1", NOW_MS - 500)

    def after(moment_ms: int) -> SourceQuote:
        return accept(
            "kraken", BTC, tick, received_ms=NOW_MS, received_at=5.0, ttl_ms=10_000, max_age_ms=60_000,
            after_ms=moment_ms,
        )  # fmt: skip

    assert Decimal(1) == after(NOW_MS - 500).price
    with pytest.raises(PriceRefused) as caught:
        after(NOW_MS - 499)
    assert "order" == caught.value.rule


@pytest.mark.parametrize(("age_ms", "left_s"), [(0, 10.0), (2_000, 10.0), (5_000, 7.0), (11_999, 0.001)])
def test_time_in_a_cache_is_no_time_to_live(age_ms: int, left_s: float) -> None:
    """What a cache kept beyond two seconds is stale that much sooner, and is observed that much earlier."""
    quote = accepted(Tick("1", age_ms=age_ms))

    assert 5.0 + left_s == pytest.approx(quote.expires_at)
    assert NOW_MS - age_ms == quote.observed_ms


def test_an_answer_kept_too_long_by_a_cache_is_refused() -> None:
    """Ten minutes in a cache make a price of ten seconds' life stale, but not one that has a time of its own."""
    with pytest.raises(PriceRefused) as caught:
        accepted(Tick("1", age_ms=600_000))

    assert "age" == caught.value.rule
    assert Decimal(1) == accepted(Tick("1", NOW_MS, age_ms=600_000)).price


@pytest.mark.parametrize("side", ["bid", "ask"])
@pytest.mark.parametrize("empty", [None, "0", "0.00000", 0, Decimal(0)])
def test_an_empty_side_of_the_book_is_no_bound(side: str, empty: object) -> None:
    """It is treated alike for bid and ask, however it is told."""
    assert Decimal(5) == accepted(Tick("5", **{side: empty})).price  # type: ignore[arg-type]


@pytest.mark.parametrize("side", ["bid", "ask"])
@pytest.mark.parametrize("absurd", ["-1", "NaN", "1e999999999999999999", "1e16", "x", True, [[]]])
def test_an_absurd_side_of_the_book_refuses_the_price(side: str, absurd: object) -> None:
    """A book that cannot be says nothing good of the price beside it, and is no reason to crash."""
    with pytest.raises(PriceRefused):
        accepted(Tick("5", **{side: absurd}))  # type: ignore[arg-type]
