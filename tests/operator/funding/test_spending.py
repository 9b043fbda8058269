"""What an account spends, from balances and nonces alone."""

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.operator.funding.spending import (
    DAY_MS,
    SHORTEST_MS,
    WINDOW_MS,
    Look,
    Spending,
    days_left,
    together_a_day_wei,
)

_MINUTE_MS = 60_000
_STEPS = st.lists(
    # Minutes, transactions, their fee, what the faucet pays.
    st.tuples(st.integers(1, 90), st.integers(0, 5), st.integers(1, 50), st.sampled_from([0, 0, 0, 10_000])),
    min_size=1,
    max_size=40,
)


def _followed(steps: list[tuple[int, int, int, int]]) -> tuple[Spending, int, int]:
    """Follow an account; return what was measured, what it spent, and for how long."""
    spending, look, spent = Spending(), Look(0, 100_000, 7), 0
    spending.observe(look)
    for minutes, sent, fee, credit in steps:
        spent += sent * fee
        look = Look(look.time_ms + minutes * _MINUTE_MS, look.balance_wei - sent * fee + credit, look.nonce + sent)
        spending.observe(look, credit)
    return spending, spent, look.time_ms


@given(_STEPS)
@settings(max_examples=50)
def test_all_that_is_spent_is_counted_whatever_comes_in(steps: list[tuple[int, int, int, int]]) -> None:
    """The sum is what was paid for transactions, top-ups or not, and the number theirs."""
    spending, spent, _ = _followed(steps)

    assert (spent, sum(sent for _, sent, _, _ in steps)) == (spending.spent_wei, spending.transactions)


@given(_STEPS)
@settings(max_examples=50)
def test_the_window_is_bounded_and_the_rate_is_that_of_the_window(steps: list[tuple[int, int, int, int]]) -> None:
    """No more is kept than the window needs, and nothing is told of too short a time; JSON keeps all of it."""
    spending, spent, length_ms = _followed(steps)

    assert len(spending.points) <= WINDOW_MS // (5 * _MINUTE_MS) + 2
    if length_ms < SHORTEST_MS:
        assert spending.a_day_wei() is None
    elif length_ms <= WINDOW_MS:
        assert spent * DAY_MS // length_ms == spending.a_day_wei()
    else:
        rate = spending.a_day_wei()
        assert rate is not None
        assert rate <= spent * DAY_MS // SHORTEST_MS
    assert spending == Spending.of_json(orjson.loads(orjson.dumps(spending.as_json())))


def test_what_somebody_else_pays_in_hides_no_spending() -> None:
    """Where the balance has risen without us, transactions count as those before did on average."""
    spending = Spending()
    for look in (Look(0, 1000, 0), Look(60_000, 900, 5), Look(120_000, 5000, 8)):
        spending.observe(look)

    assert (160, 8) == (spending.spent_wei, spending.transactions)


def test_what_comes_in_is_not_spent() -> None:
    """A balance that changes without a transaction of its own is nobody's spending."""
    spending = Spending()
    for look in (Look(0, 1000, 3), Look(60_000, 5000, 3), Look(700_000, 4000, 3)):
        spending.observe(look)

    assert (0, 0, None) == (spending.spent_wei, spending.a_day_wei(), days_left(4000, spending.a_day_wei()))


@pytest.mark.parametrize("look", [Look(2_000_000, 10**9, 0), Look(500, 10, 9)])
def test_another_chain_and_another_clock_begin_anew(look: Look) -> None:
    """What was measured stays counted, and no rate is made of two chains."""
    spending = Spending()
    for each in (Look(1000, 1000, 0), Look(1_000_000, 500, 5), look):
        spending.observe(each)

    assert 500 == spending.spent_wei
    assert spending.a_day_wei() is None


def test_days_are_those_of_all_together() -> None:
    """Two that spend 100 a day each leave 1000 for five days; one that is not known yet leaves it open."""
    known, unknown = Spending(), Spending()
    for look in (Look(0, 1000, 0), Look(DAY_MS, 900, 5)):
        known.observe(look)

    assert (200, 5.0) == (together_a_day_wei([known, known]), days_left(1000, together_a_day_wei([known, known])))
    assert together_a_day_wei([known, unknown]) is None
    assert together_a_day_wei([]) is None


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"spentWei": "x", "transactions": 1, "last": None, "points": []},
        {"spentWei": "1", "transactions": 1, "last": [1, "2", 3], "points": []},
        {"spentWei": "1", "transactions": 1, "last": None, "points": [[1, "2"]]},
        {"spentWei": "1", "transactions": 1, "last": None, "points": [[1]]},
    ],
)
def test_damaged_json_is_told(found: dict[str, object]) -> None:
    """What is not a spending is an error of a kind that the file knows."""
    with pytest.raises((KeyError, TypeError, ValueError)):
        Spending.of_json(found)
