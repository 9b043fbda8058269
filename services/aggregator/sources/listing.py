"""What a provider lists, such as its names of pairs, loaded when needed and kept for a day."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Generic, TypeVar

from meshkit.clock import Clock
from meshkit.errors import MeshError
from meshkit.log import get_logger
from services.aggregator.prices.errors import UnknownPair
from services.aggregator.prices.pair import Pair
from services.aggregator.sources.source import UNLIMITED, RateLimiter, TickOutcome

_log = get_logger(__name__)

LIFETIME_S = 86_400.0
# A pair may be listed or renamed any time, but a caller's typing error must not cause a call each.
RELOAD_S = 300.0

T = TypeVar("T")


class Listing(Generic[T]):
    """Hold what a provider lists; concurrent callers share one load."""

    def __init__(self, load: Callable[[RateLimiter], Awaitable[T]], clock: Clock) -> None:
        self._load = load
        self._clock = clock
        self._lock = asyncio.Lock()
        self._names: T | None = None
        self._loaded_at: float | None = None

    async def names(self, limiter: RateLimiter = UNLIMITED) -> T:
        """
        Return what is listed; raise what the load raises, unless an older list is at hand.

        The load's calls are those of the fetch that `limiter` belongs to.
        """
        async with self._lock:
            if self._names is None or self._is_older_than(LIFETIME_S):
                self._names = await self._reload(self._names, limiter)
            return self._names

    def expire(self) -> None:
        """Load again at the next call, since the provider contradicted the list; at most every five minutes."""
        if self._is_older_than(RELOAD_S):
            self._loaded_at = None

    async def _reload(self, last: T | None, limiter: RateLimiter) -> T:
        now = self._clock.monotonic()
        try:
            names = await self._load(limiter)
        except MeshError as error:
            if last is None:
                raise
            _log.warning("listing_not_renewed", error=str(error))
            self._loaded_at = now - LIFETIME_S + RELOAD_S
            return last
        self._loaded_at = now
        return names

    def _is_older_than(self, seconds: float) -> bool:
        return self._loaded_at is None or self._clock.monotonic() - self._loaded_at > seconds


class PairListing(Listing[Mapping[Pair, str]]):
    """Hold a provider's own names of its pairs."""

    def __init__(self, source: str, load: Callable[[RateLimiter], Awaitable[Mapping[Pair, str]]], clock: Clock) -> None:
        super().__init__(load, clock)
        self._source = source

    async def split(
        self, pairs: Iterable[Pair], limiter: RateLimiter = UNLIMITED
    ) -> tuple[dict[Pair, str], dict[Pair, TickOutcome]]:
        """Return the names of the pairs that are listed, and an UnknownPair for each other; raises as `names`."""
        names = await self.names(limiter)
        asked: dict[Pair, str] = {}
        unknown: dict[Pair, TickOutcome] = {}
        for pair in pairs:
            if pair in names:
                asked[pair] = names[pair]
            else:
                unknown[pair] = UnknownPair(pair, self._source)
        if unknown:
            self.expire()
        return asked, unknown
