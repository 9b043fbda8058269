"""What a provider lists, such as the coins it knows: loaded when needed, renewed in time, and not believed blindly."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Generic, TypeVar

from meshkit.clock import Clock
from meshkit.errors import MeshError
from meshkit.log import get_logger
from services.aggregator.sources.source import UNLIMITED, RateLimiter

_log = get_logger(__name__)

LIFETIME_S = 86_400.0
# A pair may be listed or renamed any time, but a caller's typing error must not cause a call each.
RELOAD_S = 300.0
# How long a fetch waits for a list to be renewed before it goes on with the one at hand.
PATIENCE_S = 1.0
# A list that is so much shorter than the last one is doubted: no provider takes a tenth of its pairs away at once.
SHRINK_SHARE = 0.1
DOUBT_RETRY_S = 15.0
# A list that stays short for so long is what the provider means.
DOUBT_S = 600.0

T = TypeVar("T")


class Listing(Generic[T]):
    """
    Hold what a provider lists; concurrent callers share one load.

    Attributes:
        loaded_at: When the list at hand was loaded, as a monotonic moment.

    Args:
        source: The provider, for the _log.
        load: Return what is listed; it raises a MeshError for a list that is empty or cannot be read.
        size: Return how many entries a list has; without it no list is doubted.
        lifetime_s: After which time the list is renewed.
        initial: What is at hand before the first load.
        on_load: Called with each list that is believed.
        on_doubt: Called with each list that is not.
    """

    def __init__(
        self,
        source: str,
        load: Callable[[RateLimiter], Awaitable[T]],
        clock: Clock,
        *,
        size: Callable[[T], int] | None = None,
        lifetime_s: float = LIFETIME_S,
        initial: T | None = None,
        on_load: Callable[[T], None] = lambda _found: None,
        on_doubt: Callable[[T], None] = lambda _found: None,
    ) -> None:
        self._source = source
        self._load = load
        self._clock = clock
        self._size = size
        self._lifetime_s = lifetime_s
        self._on_load = on_load
        self._on_doubt = on_doubt
        self._retry_s = min(RELOAD_S, lifetime_s / 4)
        self._loading: asyncio.Task[None] | None = None
        self._found = initial
        self.loaded_at = self._due_at = float("-inf")
        self._doubted_at: float | None = None
        self._is_failing = False

    @property
    def at_hand(self) -> T | None:
        """Return the list that was loaded last, None before the first."""
        return self._found

    @property
    def is_due(self) -> bool:
        """Tell whether the list is to be loaded, or loaded anew."""
        return self._clock.monotonic() > self._due_at

    async def names(self, limiter: RateLimiter = UNLIMITED) -> T:
        """
        Return what is listed; raise what the load raises, unless an older list is at hand.

        The load's calls are those of the fetch that `limiter` belongs to. A list at hand is returned after a second at
        most, so that a provider whose listing hangs still has prices.
        """
        if self._found is None:
            await asyncio.shield(self._begin(limiter))
        else:
            await self.renew(limiter)
        assert self._found is not None
        return self._found

    async def renew(self, limiter: RateLimiter = UNLIMITED) -> None:
        """Have the list loaded if that is due, and wait for it for a second at most; a failure is only logged."""
        if self.is_due:
            await asyncio.wait((self._begin(limiter),), timeout=PATIENCE_S)

    def expire(self) -> None:
        """Load again at the next call, since the provider contradicted the list; at most every five minutes."""
        if self._clock.monotonic() - self.loaded_at > RELOAD_S:
            self._due_at = float("-inf")

    def _begin(self, limiter: RateLimiter) -> "asyncio.Task[None]":
        if self._loading is None or self._loading.done():
            self._loading = asyncio.create_task(self._renew(limiter))
            self._loading.add_done_callback(_look_at)
        return self._loading

    async def _renew(self, limiter: RateLimiter) -> None:
        now = self._clock.monotonic()
        try:
            found = await self._load(limiter)
        except MeshError as error:
            self._due_at = now + self._retry_s
            if not self._is_failing:
                _log.warning("listing_not_loaded", source=self._source, error=str(error))
            self._is_failing = True
            if self._found is None:
                raise
            return
        self._is_failing = False
        if self._is_doubtful(found, now):
            self._due_at = now + min(DOUBT_RETRY_S, self._lifetime_s)
            self._on_doubt(found)
            return
        self._doubted_at = None
        self._found, self.loaded_at, self._due_at = found, now, now + self._lifetime_s
        self._on_load(found)

    def _is_doubtful(self, found: T, now: float) -> bool:
        if self._found is None or self._size is None:
            return False
        was, size = self._size(self._found), self._size(found)
        if size >= (1 - SHRINK_SHARE) * was:
            return False
        if self._doubted_at is None:
            _log.warning("listing_doubted", source=self._source, entries=size, entries_before=was)
            self._doubted_at = now
        return now - self._doubted_at < DOUBT_S


def _look_at(task: "asyncio.Task[None]") -> None:
    """Take note of a failure that nobody may be waiting for any more."""
    if not task.cancelled():
        with suppress(MeshError):
            task.result()
