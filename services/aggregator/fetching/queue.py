"""
The queue before a source: so many fetches at once, so many calls a second, so many that wait, and no wait in vain.

A fetch pays for its first call before it begins; a source that calls again within the same fetch, for a listing or a
second page, pays for that through the limiter that it was given.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from fractions import Fraction

from meshkit.clock import Clock
from services.aggregator.fetching.deadline import before
from services.aggregator.fetching.rate_limit import TokenBucket
from services.aggregator.prices.errors import SourceBusy
from services.aggregator.sources.source import RateLimiter

MOST_WAITING = 500
# When a place becomes free depends on others; this is only how soon it is worth trying again.
FULL_WAIT_MS = 1_000
# Further calls of a fetch that has begun may go one call ahead, so that a listing does not hold up the first prices.
_BORROWED_CALLS = 1


class _Prepaid:
    """Let the first call of a fetch pass, which is paid for, and make each further one wait for `pay`."""

    def __init__(self, pay: Callable[[], Awaitable[None]]) -> None:
        self._pay = pay
        self._is_first = True

    async def acquire(self) -> None:
        """Return when the source may be called; raise as `pay` does."""
        if self._is_first:
            self._is_first = False
        else:
            await self._pay()


class CallQueue:
    """
    Let fetches of one source through.

    Args:
        rate: Calls a second; None for no bound. The number of fetches at once and the queue are bounded all the same.
        most_waiting: How many fetches may wait for a place.
    """

    def __init__(
        self,
        source: str,
        clock: Clock,
        *,
        rate: Fraction | None,
        max_concurrent: int,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._source = source
        self._clock = clock
        self._bucket = None if rate is None else TokenBucket(rate)
        self.max_concurrent = max_concurrent
        self._places = asyncio.Semaphore(max_concurrent)
        self._most_waiting = most_waiting
        self.waiting = 0
        self.running = 0

    @asynccontextmanager
    async def turn(self, deadline: float) -> AsyncIterator[RateLimiter]:
        """
        Hold a place while the block runs, and give what its calls of the source are limited by.

        Raises SourceBusy, with the time after which to try again, if the queue is full, if no place becomes free
        before the monotonic `deadline`, or at once if the rate allows no call before it.
        """
        await self._enter(deadline)
        try:
            await self._pay(deadline)
            self.running += 1
            try:
                yield _Prepaid(lambda: self._pay(deadline, _BORROWED_CALLS))
            finally:
                self.running -= 1
        finally:
            self._places.release()

    async def _enter(self, deadline: float) -> None:
        if self._places.locked() and self.waiting >= self._most_waiting:
            raise SourceBusy(self._source, FULL_WAIT_MS, f"{self.waiting} fetches are waiting already")
        self.waiting += 1
        try:
            if not self._places.locked():
                await self._places.acquire()
            else:
                await before(deadline, self._clock, self._places.acquire())
        except TimeoutError:
            raise SourceBusy(self._source, FULL_WAIT_MS, "no place became free in time") from None
        finally:
            self.waiting -= 1

    async def _pay(self, deadline: float, borrow: int = 0) -> None:
        if self._bucket is None:
            return
        now = self._clock.monotonic()
        wait_s = self._bucket.wait_s(now, borrow)
        if now + wait_s > deadline:
            raise SourceBusy(self._source, int(wait_s * 1000) + 1, "its rate allows no call in time")
        self._bucket.take(now)
        if wait_s > 0:
            await self._clock.sleep(wait_s)
