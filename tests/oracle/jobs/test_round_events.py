"""The events of rounds on their way to watchers."""

import asyncio

from services.oracle.jobs.round_events import RoundEvents
from services.oracle.ocr.state import Trace, TraceKind


def event(round_number: int) -> Trace:
    """Return the start of a round of epoch 1, led by oracle 2."""
    return Trace(TraceKind.ROUND_STARTED, 1, round_number, 1000 * round_number, 2)


async def test_a_slow_watcher_misses_the_oldest() -> None:
    """Publishing never waits: a watcher that does not read keeps the newest events only."""
    rounds = RoundEvents()
    watch = rounds.watch()
    first = asyncio.ensure_future(anext(watch))
    await asyncio.sleep(0)
    for number in range(3000):
        rounds.publish("BTC / USD", event(number))
    seen = [(await first).trace.round]
    async with asyncio.timeout(5):
        while seen[-1] != 2999:
            seen.append((await anext(watch)).trace.round)
    await watch.aclose()

    assert len(seen) < 3000
    assert sorted(seen) == seen


async def test_a_watcher_that_left() -> None:
    """After a watcher has left nothing is kept for it."""
    rounds = RoundEvents()
    watch = rounds.watch()
    waiting = asyncio.ensure_future(anext(watch))
    await asyncio.sleep(0)
    rounds.publish("BTC / USD", event(1))
    await waiting
    await watch.aclose()
    rounds.publish("BTC / USD", event(2))

    assert not rounds._watchers
