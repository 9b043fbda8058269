"""Waking everybody who waits."""

import asyncio

from services.supervisor.notifier import Notifier


async def test_all_who_wait_are_woken_once() -> None:
    """One notice wakes each; who waits afterwards waits for the next."""
    notifier = Notifier()
    waiting = [asyncio.create_task(notifier.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    notifier.notify()
    await asyncio.gather(*waiting)
    later = asyncio.create_task(notifier.wait())
    await asyncio.sleep(0)
    early = later.done()
    notifier.notify()
    await later

    assert not early


async def test_a_waiter_that_is_cancelled_costs_no_other() -> None:
    """The others are still woken."""
    notifier = Notifier()
    gone, stays = asyncio.create_task(notifier.wait()), asyncio.create_task(notifier.wait())
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    notifier.notify()
    async with asyncio.timeout(10):
        await stays


def test_a_notice_that_nobody_waits_for_is_nothing() -> None:
    """It needs no loop and is not kept."""
    Notifier().notify()
