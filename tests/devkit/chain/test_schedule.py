"""The decision when to take a snapshot."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from devkit.chain.schedule import EMPTY_BLOCKS, Schedule


def test_nothing_new() -> None:
    """A chain at rest is not written again."""
    schedule = Schedule()

    assert not schedule.is_due(1e9)


def test_transaction() -> None:
    """A block with a transaction is due at once, and no more once it is written."""
    schedule = Schedule()
    schedule.saw_block(transactions=1)

    assert schedule.is_due(0.0)
    schedule.took_snapshot(0.0, 0.01)
    assert not schedule.is_due(1e9)


def test_empty_blocks() -> None:
    """Empty blocks are written only after many of them."""
    schedule = Schedule()
    for _ in range(EMPTY_BLOCKS - 1):
        schedule.saw_block(transactions=0)

    assert not schedule.is_due(0.0)
    schedule.saw_block(transactions=0)
    assert schedule.is_due(0.0)


def test_change_outside_blocks() -> None:
    """A balance that was set is due although no block tells of it."""
    schedule = Schedule()
    schedule.changed()

    assert schedule.is_due(0.0)


def test_failed_snapshot() -> None:
    """A failed snapshot is tried again, but not at once."""
    schedule = Schedule()
    schedule.saw_block(transactions=1)
    schedule.failed_snapshot(5.0)

    assert (False, True) == (schedule.is_due(5.9), schedule.is_due(6.0))


@given(st.floats(0, 1e6), st.floats(0, 100))
def test_interval(started_s: float, duration_s: float) -> None:
    """The next snapshot is due 1 s or 20 durations after the start of the last, whichever is later."""
    schedule = Schedule()
    schedule.took_snapshot(started_s, started_s + duration_s)
    schedule.saw_block(transactions=1)
    interval_s = max(1.0, 20 * duration_s)

    assert not schedule.is_due(started_s + interval_s * 0.99 - 0.001)
    assert schedule.is_due(started_s + interval_s * 1.01 + 0.001)
