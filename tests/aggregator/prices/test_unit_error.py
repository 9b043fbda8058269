from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.prices.unit_error import ratio, unit_error

PRICES = st.decimals(min_value=Decimal("1E-9"), max_value=Decimal("1E9"), places=9)
MOVES = st.decimals(min_value=Decimal("0.86"), max_value=Decimal("1.16"), places=4)


@pytest.mark.parametrize(
    ("price", "reference", "error"),
    [
        ("61250", "612.5", "10^2"),
        ("6.125", "612.5", "10^-2"),
        ("0.001", "100000", "10^-8"),
        ("0.9217", "1.085", "1/x"),
        ("0.00001538", "65000", "1/x"),
        ("77.5", "2410.5", "grams to troy ounces"),
        # The market moved by a tenth since the reference.
        ("0.0000169", "65000", "1/x"),
        ("0.0000140", "65000", "1/x"),
        ("70.5", "2410.5", "grams to troy ounces"),
        ("45", "2410.5", None),
        ("0.0775", "2410.5", "grams to troy ounces"),
        ("4.41", "9722", "kilograms to pounds"),
        ("165.3", "2410.5", "pounds to troy ounces"),
        ("0.65", "1", None),
        ("91.2", "100", None),
        ("140", "100", None),
        ("4", "1", None),
        ("100", "100", None),
        ("1.001", "0.999", None),
    ],
)
def test_what_looks_like_another_unit(price: str, reference: str, error: str | None) -> None:
    """Pence for pounds, a shift of eight places, an inverted pair and grams for ounces are; moves of the market not."""
    assert error == unit_error(Decimal(price), Decimal(reference))


@given(PRICES, MOVES, st.integers(1, 12), st.booleans())
def test_a_power_of_ten_is_found_whatever_the_market_did(
    reference: Decimal, move: Decimal, power: int, up: bool
) -> None:
    """Also if the price moved by a seventh since the reference, in both directions."""
    times = Decimal(10) ** (power if up else -power)

    assert f"10^{power if up else -power}" == unit_error(reference * times * move, reference)


@given(PRICES, st.decimals(min_value=Decimal("0.2"), max_value=Decimal(5), places=4))
def test_no_move_within_fivefold_is_a_power_of_ten(reference: Decimal, move: Decimal) -> None:
    """A crash by four fifths is a crash."""
    assert not (unit_error(reference * move, reference) or "").startswith("10^")


@given(PRICES, PRICES)
def test_the_ratio_has_no_direction(one: Decimal, other: Decimal) -> None:
    """It is the same both ways, and never below one."""
    assert ratio(one, other) == ratio(other, one) >= 1
