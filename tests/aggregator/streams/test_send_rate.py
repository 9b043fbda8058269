"""The rate of messages."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.streams.send_rate import HOUR_S, Pace


@given(st.lists(st.floats(0, 100), max_size=200), st.floats(0, 1), st.none() | st.integers(1, 20))
def test_the_limits_hold(pauses: list[float], gap_s: float, per_hour: int | None) -> None:
    """However eager the sender is, no two messages are too near, and no hour has twice its allowance."""
    pace, now = Pace(gap_s, per_hour), 0.0
    sent: list[float] = []
    for pause in pauses:
        now += pause
        now += pace.wait_s(now)
        pace.spend(now)
        sent.append(now)
    assert all(later - earlier >= gap_s - 1e-6 for earlier, later in itertools.pairwise(sent))
    if per_hour is not None:
        for index, first in enumerate(sent):
            within = [moment for moment in sent[index:] if moment < first + HOUR_S - 1]
            assert len(within) <= 2 * per_hour + 1


def test_an_allowance_may_be_used_at_once() -> None:
    """OKX's 480 messages an hour may follow each other; then one comes back every 7.5 seconds."""
    pace = Pace(0.0, 480)
    for _ in range(480):
        assert 0 == pace.wait_s(0.0)
        pace.spend(0.0)
    assert 7.5 == pace.wait_s(0.0)
