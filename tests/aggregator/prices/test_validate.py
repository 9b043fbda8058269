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
