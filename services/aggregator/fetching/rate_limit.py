"""
How often a source may be called: a token bucket in exact arithmetic.

The bucket is kept as the moment at which it will be full again (the generic cell rate algorithm), so it needs no timer
and a call knows at once when its turn is. A fetch pays for its first call before it begins; a source that calls again
within the same fetch, for a listing or a second page, pays for that through `next_call`.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from fractions import Fraction


class TokenBucket:
    """
    Allow `rate` calls a second, any fraction of one too.

    At most a tenth of a second's calls may follow each other at once: providers count in windows of a second, and a
    full second's burst at the end of one window would be two in the next.
    """

    def __init__(self, rate: Fraction) -> None:
        self._interval = 1 / rate
        self._burst = max(1, int(rate / 10))
        self._full_at: Fraction | None = None

    def wait_s(self, now: float, borrow: int = 0) -> float:
        """Return how long the next call has to wait, with so many calls borrowed from the future."""
        if self._full_at is None:
            return 0.0
        turn_at = self._full_at - (self._burst + borrow - 1) * self._interval
        return max(0.0, float(turn_at - Fraction(now)))

    def take(self, now: float) -> None:
        """Count one call, whose wait is over or being waited for."""
        moment = Fraction(now)
        self._full_at = (moment if self._full_at is None else max(self._full_at, moment)) + self._interval


class _Fetch:
    """Hold whether the first call of a fetch was made, and how further ones are paid for."""

    def __init__(self, pay: Callable[[], Awaitable[None]]) -> None:
        self.pay = pay
        self.is_prepaid = True


_fetch: ContextVar[_Fetch | None] = ContextVar("fetch", default=None)


@contextmanager
def prepaid(pay: Callable[[], Awaitable[None]]) -> Iterator[None]:
    """Let the first `next_call` within pass, and make each further one wait for `pay`."""
    token = _fetch.set(_Fetch(pay))
    try:
        yield
    finally:
        _fetch.reset(token)


async def next_call() -> None:
    """Return when the source may be called; raise SourceBusy if its turn comes too late. For every HTTP request."""
    fetch = _fetch.get()
    if fetch is None:
        return
    if fetch.is_prepaid:
        fetch.is_prepaid = False
    else:
        await fetch.pay()
