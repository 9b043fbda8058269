"""The moments of rounds on their way to watchers."""

import asyncio

from services.oracle.ocr.state import Trace, TraceKind
from services.oracle.rounds import Rounds
from services.oracle.status import FeedStatus


def moment(round_number: int, kind: TraceKind = TraceKind.ROUND_STARTED) -> Trace:
    """Return a moment of a round of epoch 1, led by oracle 2."""
    return Trace(kind, 1, round_number, 1000 * round_number, 2)


async def test_a_slow_watcher_misses_the_oldest() -> None:
    """Publishing never waits: a watcher that does not read keeps the newest moments only."""
    rounds = Rounds()
    watch = rounds.watch()
    first = asyncio.ensure_future(anext(watch))
    await asyncio.sleep(0)
    for number in range(3000):
        rounds.publish("BTC / USD", moment(number))
    seen = [(await first).trace.round]
    async with asyncio.timeout(5):
        while seen[-1] != 2999:
            seen.append((await anext(watch)).trace.round)
    await watch.aclose()

    assert len(seen) < 3000
    assert sorted(seen) == seen


async def test_a_watcher_that_left() -> None:
    """After a watcher has left nothing is kept for it."""
    rounds = Rounds()
    watch = rounds.watch()
    waiting = asyncio.ensure_future(anext(watch))
    await asyncio.sleep(0)
    rounds.publish("BTC / USD", moment(1))
    await waiting
    await watch.aclose()
    rounds.publish("BTC / USD", moment(2))

    assert not rounds._watchers


def test_the_status_follows() -> None:
    """The status shows the current round and the last failure, until a report was made after it."""
    said: list[str] = []
    status = FeedStatus(on_error=said.append)
    status.note(moment(3))
    status.fail("no price")
    assert (1, 3, 2, "no price") == (status.epoch, status.round, status.leader, status.last_error)

    status.note(moment(3, TraceKind.FINAL))
    assert "" == status.last_error
    status.note(Trace(TraceKind.TRANSMISSION_FAILED, 1, 3, 0, detail="stale report"))
    assert "stale report" in status.last_error
    assert 2 == len(said)
