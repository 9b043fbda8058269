from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.clock import ManualClock
from services.aggregator.fetching.source_jump_guard import Others, SourceGuard, Standing
from services.aggregator.prices.errors import PriceRefused
from services.aggregator.prices.feed_jump_guard import Limits
from services.aggregator.prices.quote import SourceQuote
from services.aggregator.prices.unit_error import ratio
from tests.aggregator.fakes import BTC

LIMITS = Limits(guard_bps=1_000, rate_bps=500)
NOBODY = Standing()
AGAINST = Standing(Others.DIFFER)
WITH = Standing(Others.AGREE, is_near_one=True)


class Guarded:
    """A guard with one pair of one source, whose time a test moves."""

    def __init__(self, *accepted: str, limits: Limits = LIMITS) -> None:
        self.clock = ManualClock()
        self.guard = SourceGuard(self.clock, lambda _source, _pair: limits)
        for price in accepted:
            assert self.said(price) is None

    def said(self, price: str | Decimal, standing: Standing = NOBODY, *, is_alone: bool = False) -> str | None:
        """Return the rule that a price is refused by, None if it passes; a second passes before."""
        self.clock.advance(1)
        quote = SourceQuote("kraken", BTC, Decimal(price), 0, 0.0)
        try:
            self.guard.check(quote, is_alone=is_alone, standing=lambda: standing)
        except PriceRefused as refused:
            return refused.rule
        return None


def test_a_price_near_the_last_one_needs_nobody() -> None:
    """Ten percent up to the last digit, whatever the others say."""
    for price, expected in (("110", None), ("110.01", "jump"), ("90.91", None), ("90.90", "jump")):
        assert expected == Guarded("100").said(price, AGAINST)


def test_a_jump_passes_with_others_and_not_by_repetition() -> None:
    """However often it is said; the way back is free."""
    guarded = Guarded("100")

    assert ["jump"] * 5 == [guarded.said("150", AGAINST) for _ in range(5)]
    assert guarded.said("101", AGAINST) is None
    assert guarded.said("150", WITH) is None
    assert guarded.said("151", AGAINST) is None


def test_without_others_a_source_moves_at_the_rate_of_a_single_one() -> None:
    """After ten minutes of saying so, a half more is within five percent a minute."""
    guarded = Guarded("100")

    assert "rate" == guarded.said("149", NOBODY)
    guarded.clock.advance(600)

    assert guarded.said("149", NOBODY) is None


def test_an_only_source_moves_at_its_rate_even_near_its_last_price() -> None:
    """Nine percent are near, but not within a minute for a source that nobody else can confirm."""
    guarded = Guarded("100")

    assert "rate" == guarded.said("109", is_alone=True)
    guarded.clock.advance(120)

    assert guarded.said("109", is_alone=True) is None


@pytest.mark.parametrize("standing", [NOBODY, AGAINST])
@pytest.mark.parametrize("is_alone", [True, False])
def test_another_unit_is_never_confirmed_by_repetition(standing: Standing, is_alone: bool) -> None:
    """Neither alone nor against others, for a day."""
    guarded = Guarded("612.5")
    for _ in range(24):
        guarded.clock.advance(3_600)

        assert "unit" == guarded.said("61250", standing, is_alone=is_alone)

    assert guarded.said("613", standing, is_alone=is_alone) is None


def test_a_first_price_is_held_against_others_and_the_feeds_last_one() -> None:
    """One that nobody is near is refused, one that somebody is near passes; a reference decides before that."""
    assert Guarded().said("100", NOBODY) is None
    assert "first" == Guarded().said("100", AGAINST)
    assert Guarded().said("100", Standing(Others.DIFFER, is_near_one=True)) is None
    for price, expected in (("100", "unit"), ("8000", "jump"), ("10500", None)):
        assert expected == Guarded().said(price, Standing(Others.DIFFER, last=Decimal(10_000)))
    for price, expected in (("100", "unit"), ("8000", "rate"), ("10500", None)):
        assert expected == Guarded().said(price, Standing(Others.SILENT, last=Decimal(10_000)), is_alone=True)


def test_a_forgotten_price_is_no_predecessor() -> None:
    """The next one is a first one again, and nothing is held of a pair that nobody asks for."""
    guarded = Guarded("100")
    guarded.guard.forget("kraken", BTC)

    assert 0 == len(guarded.guard)
    assert "first" == guarded.said("100", AGAINST)


def test_without_a_bound_everything_passes() -> None:
    """An explicit null in the configuration says so."""
    assert Guarded("100", limits=Limits(guard_bps=None)).said("1", AGAINST) is None


@given(
    st.lists(
        st.tuples(
            st.decimals(min_value=Decimal("1E-9"), max_value=Decimal("1E9"), places=9).filter(bool),
            st.sampled_from([NOBODY, AGAINST]),
        ),
        max_size=20,
    )
)
def test_a_source_never_leaps_by_its_own_word(said: list[tuple[Decimal, Standing]]) -> None:
    """Whatever it says, a price that passes without others is near one of before, or within the rate of a minute."""
    guarded = Guarded("1")
    passed = [Decimal(1)]
    for price, standing in said:
        if guarded.said(price, standing) is None:
            assert ratio(price, passed[-1]) <= Decimal("1.1")
            passed.append(price)
