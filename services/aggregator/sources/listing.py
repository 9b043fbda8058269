"""A provider's list of pairs and what it calls them, loaded when needed and kept for a day."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from meshkit.clock import Clock
from meshkit.errors import MeshError
from meshkit.log import get_logger
from services.aggregator.pair import Pair

log = get_logger(__name__)

LIFETIME_S = 86_400.0
# A pair may be listed or renamed any time, but a caller's typing error must not cause a call each.
RELOAD_S = 300.0


class Listing:
    """Map pairs to a provider's own names for them; concurrent callers share one load."""

    def __init__(self, load: Callable[[], Awaitable[Mapping[Pair, str]]], clock: Clock) -> None:
        self._load = load
        self._clock = clock
        self._lock = asyncio.Lock()
        self._names: Mapping[Pair, str] = {}
        self._loaded_at: float | None = None

    async def names(self) -> Mapping[Pair, str]:
        """Return the provider's name of each pair; raise what the load raises, unless an older list is at hand."""
        async with self._lock:
            if self._is_older_than(LIFETIME_S):
                await self._reload()
            return self._names

    def expire(self) -> None:
        """Load again at the next call, since the provider contradicted the list; at most every five minutes."""
        if self._is_older_than(RELOAD_S):
            self._loaded_at = None

    async def _reload(self) -> None:
        now = self._clock.monotonic()
        try:
            self._names = await self._load()
            self._loaded_at = now
        except MeshError as error:
            if not self._names:
                raise
            log.warning("listing_not_renewed", error=str(error))
            self._loaded_at = now - LIFETIME_S + RELOAD_S

    def _is_older_than(self, seconds: float) -> bool:
        return self._loaded_at is None or self._clock.monotonic() - self._loaded_at > seconds
