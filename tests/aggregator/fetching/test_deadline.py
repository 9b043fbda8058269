import asyncio

import pytest

from meshkit.clock import ManualClock
from services.aggregator.fetching.deadline import before


async def settle() -> None:
    """Let everything run that can run now."""
    for _ in range(10):
        await asyncio.sleep(0)


async def answered(event: asyncio.Event) -> str:
    """Answer when told to."""
    await event.wait()
    return "answer"


async def test_work_that_ends_in_time_is_returned() -> None:
    """Up to the deadline, and no alarm is left behind."""
    clock, event = ManualClock(), asyncio.Event()
    task = asyncio.create_task(before(5.0, clock, answered(event)))
    await settle()
    clock.advance(4.999)
    event.set()

    assert "answer" == await task
    assert 1 == len(asyncio.all_tasks())


async def test_work_that_is_late_is_cancelled() -> None:
    """At the deadline, and it has ended when the error is raised."""
    clock, event = ManualClock(), asyncio.Event()
    task = asyncio.create_task(before(5.0, clock, answered(event)))
    await settle()
    clock.advance(5)
    with pytest.raises(TimeoutError):
        await task

    assert 1 == len(asyncio.all_tasks())


async def test_an_error_of_the_work_is_raised() -> None:
    """As it is."""

    async def broken() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        await before(5.0, ManualClock(), broken())


async def test_who_leaves_takes_the_work_along() -> None:
    """Cancelling the wait cancels the work."""
    event = asyncio.Event()
    task = asyncio.create_task(before(5.0, ManualClock(), answered(event)))
    await settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert 1 == len(asyncio.all_tasks())
