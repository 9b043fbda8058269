import asyncio
from fractions import Fraction

import pytest

from meshkit.clock import ManualClock
from services.aggregator.fetching.queue import CallQueue
from services.aggregator.prices.errors import SourceBusy


async def settle() -> None:
    """Let everything run that can run now."""
    for _ in range(20):
        await asyncio.sleep(0)


class Visitors:
    """Pass a queue, stay until told to leave, and note who is in."""

    def __init__(self, queue: CallQueue) -> None:
        self.queue = queue
        self.leave = asyncio.Event()
        self.inside = 0

    async def visit(self, deadline: float = 60.0) -> None:
        async with self.queue.turn(deadline):
            self.inside += 1
            await self.leave.wait()


async def test_no_more_than_allowed_are_in() -> None:
    """Without a rate, the number of fetches at once is bounded all the same, and all get through at last."""
    visitors = Visitors(CallQueue("kraken", ManualClock(), rate=None, max_concurrent=3))
    tasks = [asyncio.create_task(visitors.visit()) for _ in range(10)]
    await settle()

    assert (3, 3, 7) == (visitors.inside, visitors.queue.running, visitors.queue.waiting)

    visitors.leave.set()
    await asyncio.gather(*tasks)

    assert (10, 0, 0) == (visitors.inside, visitors.queue.running, visitors.queue.waiting)


async def test_a_full_queue_is_an_error_at_once() -> None:
    """The next fetch is told so, with a time to try again, instead of growing the queue."""
    visitors = Visitors(CallQueue("kraken", ManualClock(), rate=None, max_concurrent=1, most_waiting=2))
    tasks = [asyncio.create_task(visitors.visit()) for _ in range(3)]
    await settle()
    with pytest.raises(SourceBusy) as caught:
        await visitors.visit()

    assert caught.value.retry_after_ms > 0

    visitors.leave.set()
    await asyncio.gather(*tasks)


async def test_nobody_waits_beyond_the_deadline() -> None:
    """A fetch that gets no place in its time is told so, and leaves the queue."""
    clock = ManualClock()
    visitors = Visitors(CallQueue("kraken", clock, rate=None, max_concurrent=1))
    first = asyncio.create_task(visitors.visit())
    second = asyncio.create_task(visitors.visit(5.0))
    await settle()
    clock.advance(5)
    await settle()

    assert isinstance(second.exception(), SourceBusy)
    assert 0 == visitors.queue.waiting

    visitors.leave.set()
    await first


async def test_a_turn_that_comes_too_late_is_refused_at_once() -> None:
    """With a call in 10,000 s, the second fetch hears now when the next call is possible, and costs no turn."""
    clock = ManualClock()
    queue = CallQueue("alphavantage", clock, rate=Fraction("0.0001"), max_concurrent=10)
    async with queue.turn(9.0):
        pass
    for _ in range(3):
        with pytest.raises(SourceBusy) as caught:
            async with queue.turn(9.0):
                pass

        assert 10_000_001 == caught.value.retry_after_ms

    clock.advance(10_000)
    async with queue.turn(10_009.0):
        pass


async def test_fetches_wait_for_their_turn() -> None:
    """At 2.8 calls a second, the fourth fetch begins 3/2.8 s after the first one."""
    clock = ManualClock()
    visitors = Visitors(CallQueue("coinbase", clock, rate=Fraction("2.8"), max_concurrent=10))
    tasks = [asyncio.create_task(visitors.visit()) for _ in range(4)]
    await settle()
    clock.advance(1.07)
    await settle()

    assert 3 == visitors.inside

    clock.advance(0.0015)
    await settle()

    assert 4 == visitors.inside

    visitors.leave.set()
    await asyncio.gather(*tasks)


async def test_the_pages_of_a_fetch_count_as_calls() -> None:
    """A listing and a price are two calls: the listing is not held up, but the next fetch is."""
    clock = ManualClock()
    queue = CallQueue("kraken", clock, rate=Fraction(1), max_concurrent=10)
    async with queue.turn(9.0) as limiter:
        await limiter.acquire()
        await limiter.acquire()
    late = asyncio.create_task(Visitors(queue).visit())
    await settle()

    assert 0 == queue.running

    clock.advance(2)
    await settle()

    assert 1 == queue.running

    late.cancel()


async def test_further_calls_of_a_fetch_are_paid_for() -> None:
    """The first call of a fetch is paid for already, the next goes one ahead, each further one waits for its turn."""
    clock = ManualClock()
    queue = CallQueue("kraken", clock, rate=Fraction(1), max_concurrent=10)
    calls = 0

    async def fetch() -> None:
        nonlocal calls
        async with queue.turn(9.0) as limiter:
            for _ in range(4):
                await limiter.acquire()
                calls += 1

    task = asyncio.create_task(fetch())
    for expected in (2, 3, 4):
        await settle()
        assert expected == calls
        clock.advance(1)
    await task


async def test_a_further_call_that_comes_too_late_is_refused_at_once() -> None:
    """A page whose turn is after the fetch's deadline is not waited for."""
    queue = CallQueue("kraken", ManualClock(), rate=Fraction(1, 10), max_concurrent=10)
    async with queue.turn(9.0) as limiter:
        await limiter.acquire()
        await limiter.acquire()
        with pytest.raises(SourceBusy) as caught:
            await limiter.acquire()

    assert 10_001 == caught.value.retry_after_ms


async def test_without_a_rate_no_call_waits() -> None:
    """A source without a bound on its rate is called as often as its fetch likes."""
    queue = CallQueue("kraken", ManualClock(), rate=None, max_concurrent=10)
    async with queue.turn(9.0) as limiter:
        for _ in range(100):
            await limiter.acquire()
