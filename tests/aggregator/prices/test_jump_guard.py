from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from meshkit.clock import ManualClock
from services.aggregator.prices.jump_guard import CONFIRMATION_GAP_S, MEMORY_S, JumpGuard
from tests.aggregator.fakes import BTC

OLD, NEW = Decimal(100), Decimal(150)


def nobody() -> None:
    """Say that no other source has a price."""


def guard(clock: ManualClock, bound_bps: int | None = 1_000) -> JumpGuard:
    """Return a guard that has accepted 100."""
    made = JumpGuard(clock, bound_bps, 3)
    made.passes(BTC, OLD, nobody)
    return made


def test_a_jump_is_refused_until_confirmed() -> None:
    """The third agreeing price passes, and so does the next one; seconds after the jump, not minutes."""
    clock = ManualClock()
    guarded = guard(clock)
    passed = []
    for _ in range(4):
        passed.append(guarded.passes(BTC, NEW, nobody))
        clock.advance(CONFIRMATION_GAP_S)

    assert [False, False, True, True] == passed


def test_prices_at_once_confirm_nothing() -> None:
    """A hundred ticks within a second are one event."""
    clock = ManualClock()
    guarded = guard(clock)
    for _ in range(100):
        clock.advance(CONFIRMATION_GAP_S / 101)

        assert not guarded.passes(BTC, NEW, nobody)


def test_other_sources_confirm_at_once() -> None:
    """A jump to where the other sources are passes; one to elsewhere does not."""
    clock = ManualClock()

    assert guard(clock).passes(BTC, NEW, lambda: Decimal(149))
    assert not guard(clock).passes(BTC, NEW, lambda: Decimal(101))


def test_a_spike_does_not_help_the_next_one() -> None:
    """Prices that contradict each other confirm nothing, and the way back is free."""
    clock = ManualClock()
    guarded = guard(clock)
    for price in (150, 200, 150, 200, 400, 20):
        clock.advance(CONFIRMATION_GAP_S)

        assert not guarded.passes(BTC, Decimal(price), nobody)

    assert guarded.passes(BTC, Decimal(101), nobody)


def test_the_bound_itself_passes() -> None:
    """Ten percent are allowed, the next hundredth is not."""
    assert guard(ManualClock()).passes(BTC, Decimal(110), nobody)
    assert guard(ManualClock()).passes(BTC, Decimal(90), nobody)
    assert not guard(ManualClock()).passes(BTC, Decimal("110.01"), nobody)
    assert not guard(ManualClock()).passes(BTC, Decimal("89.99"), nobody)


def test_an_old_price_doubts_nothing() -> None:
    """After an hour without a price, any is the first one; without a bound, any passes always."""
    clock = ManualClock()
    guarded = guard(clock)
    clock.advance(MEMORY_S)

    assert guarded.passes(BTC, NEW, nobody)
    assert guard(ManualClock(), None).passes(BTC, Decimal("1E9"), nobody)


@given(st.lists(st.decimals(min_value=Decimal("1E-9"), max_value=Decimal("1E9"), places=9).filter(bool), max_size=20))
def test_it_recovers_by_itself_from_anything(history: list[Decimal]) -> None:
    """Whatever came before, a price that stays is accepted within three observations a second apart."""
    clock = ManualClock()
    guarded = JumpGuard(clock, 1_000, 3)
    for price in history:
        guarded.passes(BTC, price, nobody)
        clock.advance(CONFIRMATION_GAP_S)
    passed = []
    for _ in range(3):
        passed.append(guarded.passes(BTC, OLD, nobody))
        clock.advance(CONFIRMATION_GAP_S)

    assert passed[-1]
