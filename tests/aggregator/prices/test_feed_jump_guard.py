from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.prices.feed_jump_guard import (
    PASSED,
    Candidate,
    Limits,
    Refusal,
    Ruling,
    State,
    judge,
    refer,
    unheld,
)
from services.aggregator.prices.unit_error import ratio

LIMITS = Limits(guard_bps=1_000, rate_bps=500, move_hold_s=60.0, first_hold_s=2.0)
AT_100 = State(Decimal(100))
BOTH = Candidate(Decimal(100), agreeing=4, mapped=6, kinds=2, mapped_kinds=2)
EXCHANGES = replace(BOTH, kinds=1)
MINORITY = replace(BOTH, agreeing=3)
ALONE = Candidate(Decimal(100), agreeing=1, mapped=1)
PRICES = st.decimals(min_value=Decimal("1E-6"), max_value=Decimal("1E6"), places=6)


def at(candidate: Candidate, price: str, heard_ms: int = 0, apart: tuple[str, ...] = ()) -> Candidate:
    """Return a candidate with another price, heard at a moment."""
    return replace(
        candidate,
        price=Decimal(price),
        oldest_ms=heard_ms,
        newest_ms=heard_ms,
        apart=tuple(Decimal(each) for each in apart),
    )


def told(state: State, *said: tuple[float, Candidate], limits: Limits = LIMITS) -> list[Refusal | None]:
    """Return what becomes of candidates at moments, each heard anew."""
    refusals = []
    for now, candidate in said:
        heard = replace(candidate, oldest_ms=int(now * 1000), newest_ms=int(now * 1000))
        state, ruling = judge(state, heard, limits, now)
        refusals.append(ruling.refusal)
    return refusals


def test_a_majority_of_two_kinds_leaps_at_once() -> None:
    """A crash by two fifths is believed with the first price that most of all configured sources agree on."""
    assert [None, None] == told(AT_100, (0, at(BOTH, "60")), (1, at(BOTH, "60", apart=("100",))))


def test_a_majority_of_the_fresh_is_none_of_the_configured() -> None:
    """Three of six that all agree have to say it for a minute, and anew each."""
    fall = at(MINORITY, "60")

    assert [Refusal.JUMP, Refusal.JUMP, None] == told(AT_100, (0, fall), (59, fall), (60, fall))
    state, _ = judge(AT_100, at(MINORITY, "60", 1_000), LIMITS, 0)

    assert Ruling(Refusal.JUMP) == judge(state, at(MINORITY, "60", 1_000), LIMITS, 100)[1]


def test_a_minority_with_a_dissenter_never_leaps() -> None:
    """While a fresh source disagrees, time proves nothing."""
    fall = at(MINORITY, "60", apart=("100",))

    assert [Refusal.JUMP] * 3 == told(AT_100, (0, fall), (60, fall), (1_000, fall))


def test_a_majority_of_one_kind_leaps_after_a_minute() -> None:
    """Four exchanges may share a fault; copies that lag are not waited for longer than that."""
    fall = at(EXCHANGES, "60", apart=("100", "100"))

    assert [Refusal.JUMP, Refusal.JUMP, None] == told(AT_100, (0, fall), (30, fall), (60, fall))


def test_where_all_sources_are_of_one_kind_their_majority_leaps() -> None:
    """There is no other kind to wait for."""
    assert [None] == told(AT_100, (0, at(replace(EXCHANGES, mapped_kinds=1), "60")))


def test_what_has_to_last_begins_anew_after_a_gap_and_with_another_price() -> None:
    """An interruption and a price beyond the guard from the held one both do."""
    fall, other = at(MINORITY, "60"), at(MINORITY, "150")

    assert [Refusal.JUMP] * 3 == told(AT_100, (0, fall), (30, other), (61, fall))
    state, _ = judge(AT_100, fall, LIMITS, 0)
    _, ruling = judge(unheld(state), at(MINORITY, "60", 90_000), LIMITS, 90)

    assert Refusal.JUMP is ruling.refusal


def test_a_minority_near_the_last_price_is_served_but_does_not_lead() -> None:
    """Steps of a tenth in quick succession go no further than the first; one a minute is followed."""
    first, second = at(MINORITY, "109.9"), at(MINORITY, "120")

    assert [None, Refusal.JUMP, Refusal.JUMP] == told(AT_100, (0, first), (5, second), (30, second))
    assert [None, None, None] == told(AT_100, (0, first), (60, first), (61, second))


@pytest.mark.parametrize("price", ["10000", "0.000001", "0.0101", "3110"])
@pytest.mark.parametrize("candidate", [EXCHANGES, replace(EXCHANGES, mapped_kinds=1), MINORITY, ALONE])
def test_another_unit_is_not_proven_by_repetition(price: str, candidate: Candidate) -> None:
    """Neither by one source, nor by a majority of one kind, nor by all that are fresh, for a day."""
    state, _ = judge(State(), ALONE, replace(LIMITS, first_hold_s=0), 0)
    said = [(second, at(candidate, price)) for second in (1.0, 61.0, 3_600.0, 86_400.0)]

    assert {Refusal.UNIT} == set(told(state, *said))


def test_another_unit_is_proven_by_all_fresh_sources_of_two_kinds() -> None:
    """So a coin that is split a thousandfold is followed; with a dissenter it is not."""
    assert [None] == told(AT_100, (0, at(BOTH, "0.1")))
    assert [Refusal.UNIT] == told(AT_100, (0, at(BOTH, "0.1", apart=("100",))))


def test_a_unit_error_stays_one_while_the_market_moves() -> None:
    """Pence for pounds that drift by a third are no power of ten any more, but they came from one."""
    state, _ = judge(State(), at(ALONE, "6"), replace(LIMITS, first_hold_s=0), 0)
    drift = [(i * 3_600.0, at(ALONE, f"{600 + 20 * i}")) for i in range(1, 15)]

    assert {Refusal.UNIT} == set(told(state, *drift))


def test_a_single_source_moves_at_its_rate() -> None:
    """A fall by 35 percent takes the minutes that five percent a minute need; the way back is free meanwhile."""
    state, _ = judge(State(), ALONE, replace(LIMITS, first_hold_s=0), 0)
    fall = at(ALONE, "65")

    assert [None, Refusal.RATE, Refusal.RATE, None] == told(
        state, (1, at(ALONE, "104.9")), (2, fall), (600, fall), (2 + 60 * 13, fall)
    )
    assert [Refusal.RATE, None] == told(state, (1, fall), (2, at(ALONE, "101")))


def test_the_first_price_of_a_majority_of_two_kinds_is_believed_at_once() -> None:
    """So it is where there is one kind only; a majority of one kind of two has to last, longer if another dissents."""
    assert [None] == told(State(), (0, BOTH))
    assert [None] == told(State(), (0, replace(EXCHANGES, mapped_kinds=1)))
    assert [Refusal.FIRST, None] == told(State(), (0, EXCHANGES), (2, EXCHANGES))
    apart = at(EXCHANGES, "100", apart=("90",))

    assert [Refusal.FIRST, Refusal.FIRST, None] == told(State(), (0, apart), (2, apart), (60, apart))


def test_the_first_price_of_a_single_source_has_to_last() -> None:
    """Two seconds, and to be said again; one that changes in between begins anew."""
    assert [Refusal.FIRST, None] == told(State(), (0, ALONE), (2, ALONE))
    assert [Refusal.FIRST, Refusal.FIRST, None] == told(State(), (0, at(ALONE, "65")), (2, ALONE), (4, ALONE))


def test_a_first_price_against_another_unit_is_none() -> None:
    """Two exchanges say a hundred-millionth of what the third source says: one of them is wrong by its unit."""
    odd = at(replace(EXCHANGES, agreeing=2, mapped=3), "0.001", apart=("100000",))

    assert [Refusal.UNIT, Refusal.UNIT] == told(State(), (0, odd), (600, odd))
    assert [None] == told(State(), (0, at(BOTH, "100000", apart=("0.001",))))


def test_a_reference_is_the_predecessor_of_the_first_price() -> None:
    """The last answer on chain refuses a shift of two places, holds a leap of one source, and lets the rest pass."""
    state = refer(State(), Decimal(100), LIMITS, 0)

    assert [Refusal.UNIT] == told(state, (0, at(ALONE, "10000")))
    assert [Refusal.RATE] == told(state, (0, at(ALONE, "130")))
    assert [None] == told(state, (0, at(ALONE, "104")))
    assert [None] == told(state, (0, at(BOTH, "150")))


def test_a_late_reference_overrules_one_kind_but_not_two() -> None:
    """What two exchanges alone proved before it came is judged anew by it."""
    exchanges, _ = judge(State(), at(replace(EXCHANGES, mapped_kinds=1), "0.001"), LIMITS, 0)
    both, _ = judge(State(), at(BOTH, "0.001"), LIMITS, 0)

    assert Decimal(100_000) == refer(exchanges, Decimal(100_000), LIMITS, 1).anchor
    assert Decimal("0.001") == refer(both, Decimal(100_000), LIMITS, 1).anchor


def test_a_near_reference_leaves_the_newer_price() -> None:
    """A reference confirms an anchor near it, and no later one replaces that."""
    state = refer(AT_100, Decimal(101), LIMITS, 0)

    assert (Decimal(100), True) == (state.anchor, state.is_sure)
    assert state == refer(state, Decimal(500), LIMITS, 1)


def test_without_a_guard_everything_passes() -> None:
    """An explicit null in the configuration says so."""
    _, ruling = judge(AT_100, at(ALONE, "1"), replace(LIMITS, guard_bps=None), 0)

    assert PASSED == ruling


@given(st.lists(st.tuples(PRICES, st.floats(0.1, 200)), min_size=1, max_size=40), st.integers(1, 1_000))
def test_a_single_source_never_moves_faster_than_its_rate(said: list[tuple[Decimal, float]], rate_bps: int) -> None:
    """Whatever it says and when: any two prices that passed within a minute are no further apart than the rate."""
    limits = replace(LIMITS, rate_bps=rate_bps, first_hold_s=0)
    state, now, served = State(), 0.0, []
    for price, pause_s in said:
        now += pause_s
        state, ruling = judge(state, replace(ALONE, price=price), limits, now)
        if ruling == PASSED:
            served.append((now, price))
    for first, (began, before) in enumerate(served):
        for moment, price in served[first + 1 :]:
            if moment - began <= 60:
                assert ratio(price, before) <= 1 + Decimal(rate_bps) / 10_000


@given(st.lists(st.tuples(PRICES, st.floats(0.1, 100)), min_size=2, max_size=30), st.booleans())
def test_less_than_a_majority_leads_no_faster_than_a_guard_a_minute(
    said: list[tuple[Decimal, float]], dissents: bool
) -> None:
    """What passes is within the guard of the anchor, and the anchor moves only after a minute of the same price."""
    state, now = AT_100, 0.0
    moved_at: list[float] = []
    for price, pause_s in said:
        now += pause_s
        apart = ("100",) if dissents else ()
        before = state
        state, ruling = judge(state, at(MINORITY, str(price), int(now * 1000), apart), LIMITS, now)
        assert before.anchor is not None
        if state.anchor != before.anchor:
            assert before.held is not None
            assert not dissents
            assert now - before.held.since >= LIMITS.move_hold_s
            moved_at.append(now)
        elif ruling == PASSED:
            assert ratio(price, before.anchor) <= Decimal("1.1")

    assert all(later - earlier >= LIMITS.move_hold_s for earlier, later in pairwise(moved_at))


@given(PRICES, PRICES)
def test_a_majority_of_two_kinds_that_all_agree_is_always_followed(before: Decimal, after: Decimal) -> None:
    """There is no price that they cannot move to at once."""
    state, _ = judge(State(), replace(BOTH, price=before), LIMITS, 0)
    _, ruling = judge(state, replace(BOTH, price=after), LIMITS, 1)

    assert PASSED == ruling
