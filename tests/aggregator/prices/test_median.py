from decimal import Decimal, localcontext
from statistics import median as reference_median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.prices.median import median, spread_bps, weighted_median

PRICES = st.lists(st.decimals(min_value=Decimal("1E-12"), max_value=Decimal("1E9"), places=12), min_size=1, max_size=13)


@given(PRICES)
def test_median_agrees_with_the_definition(prices: list[Decimal]) -> None:
    """It is the middle price, or the mean of the two middle ones."""
    with localcontext(prec=60):
        expected = reference_median(prices)

    assert abs(expected - median(prices)) <= expected * Decimal("1E-29")


@given(PRICES, st.randoms(use_true_random=False))
def test_median_ignores_the_order(prices: list[Decimal], random: "object") -> None:
    """Any order of the same prices has the same median."""
    shuffled = sorted(prices, key=lambda _: random.random())  # type: ignore[attr-defined]

    assert median(prices) == median(shuffled)


@given(PRICES)
def test_a_minority_of_liars_stays_between_honest_prices(honest: list[Decimal]) -> None:
    """Fewer liars than honest sources cannot move the median out of the honest range."""
    liars = [Decimal("1E15")] * (len(honest) - 1)

    assert min(honest) <= median([*honest, *liars]) <= max(honest)


def test_the_mean_of_two_keeps_all_digits() -> None:
    """An even count keeps digits that the default context of 28 would lose, so the mean of two equal ones is theirs."""
    long = Decimal("764167697797790.5732400321650673")

    assert long == median([long, long])

    low, high = Decimal("1000000000.12345678901234567890"), Decimal("1000000000.12345678901234567892")

    assert Decimal("1000000000.12345678901234567891") == median([low, high])


def test_no_prices_have_no_median() -> None:
    """An empty list is a ValueError."""
    with pytest.raises(ValueError, match="no prices"):
        median([])


def test_spread_is_in_basis_points() -> None:
    """101 against 100 with a price of 100.5 is 99.5 basis points."""
    assert Decimal("99.50") == spread_bps([Decimal(101), Decimal(100)], Decimal("100.5"))


def test_the_largest_spread_is_no_error() -> None:
    """From the smallest price to the largest there are forty digits of hundredths of a basis point."""
    spread = spread_bps([Decimal("1E15"), Decimal("1E-18")], Decimal("1E-18"))

    assert Decimal("1E37") == spread + 10_000


WEIGHTED = st.lists(
    st.tuples(
        st.decimals(min_value=Decimal("0.01"), max_value=Decimal(1000), places=2),
        st.integers(1, 6),
    ),
    min_size=1,
    max_size=8,
)


@given(WEIGHTED)
def test_a_weight_is_a_number_of_copies(weighted: list[tuple[Decimal, int]]) -> None:
    """A price of weight n counts as n sources of that price would."""
    copies = [price for price, weight in weighted for _ in range(weight)]

    assert median(copies) == weighted_median([(price, Decimal(weight)) for price, weight in weighted])
