"""Clocks."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from meshkit.clock import ManualClock, SystemClock


@given(st.lists(st.integers(0, 10_000), max_size=20))
def test_manual_clock_moves_both_times_alike(steps_ms: list[int]) -> None:
    """Wall and monotonic time advance by exactly what was asked."""
    clock = ManualClock(start_ms=1_000_000)
    for step_ms in steps_ms:
        clock.advance(step_ms / 1000)

    assert 1_000_000 + sum(steps_ms) == clock.time_ms()


async def test_sleepers_wake_in_order() -> None:
    """Advancing wakes those whose time has come, and no others."""
    clock = ManualClock()
    woken: list[int] = []

    async def sleeper(seconds: int) -> None:
        await clock.sleep(seconds)
        woken.append(seconds)

    tasks = [asyncio.create_task(sleeper(seconds)) for seconds in (3, 1, 2)]
    await asyncio.sleep(0)
    clock.advance(2)
    await asyncio.gather(tasks[1], tasks[2])

    assert woken == [1, 2]
    clock.advance(1)
    await tasks[0]
    assert woken == [1, 2, 3]


def test_system_clock_goes_forward() -> None:
    """Two readings of the machine's monotonic clock are in order."""
    clock = SystemClock()

    assert clock.monotonic() <= clock.monotonic()
