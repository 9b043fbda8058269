"""The current price of each feed, numbered by change, and who follows them."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass

from meshkit.clock import Clock
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Quote, Result


@dataclass(slots=True)
class Entry:
    """Hold a pair's present quote or error and the sequence number of the change that brought it."""

    sequence: int
    pair: Pair
    result: Result


class Board:
    """
    Hold the latest result of each pair.

    A change is another price, status, set of sources or error reason; a repeated price only renews the times. Numbers
    begin at the wall clock, so that they grow over a restart too and a follower can resume with a number of before.
    A slow follower misses intermediate prices of a pair, never its latest, so nothing queues up for it, and no price
    that expired meanwhile is handed to it.

    Attributes:
        version: Grows with every result that is put in place, be it a change or not.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sequence = clock.time_ms() * 1000
        self._entries: dict[Pair, Entry] = {}
        self._wakers: set[asyncio.Event] = set()
        self.version = 0
        self._followed: Counter[Pair] = Counter()

    def get(self, pair: Pair) -> Result | None:
        """Return the latest result of a pair, which may be stale, or None before the first."""
        entry = self._entries.get(pair)
        return None if entry is None else entry.result

    def post(self, pair: Pair, result: Result) -> None:
        """Put a pair's new result in place; it is numbered and sent only if it is a change, as after an expiry."""
        self.version += 1
        entry = self._entries.get(pair)
        if entry is not None and _face(entry.result) == _face(result) and not self._is_expired(entry):
            entry.result = result
            return
        self._sequence += 1
        self._entries[pair] = Entry(self._sequence, pair, result)
        for waker in self._wakers:
            waker.set()

    def is_followed(self, pair: Pair) -> bool:
        """Tell whether somebody follows the pair now."""
        return self._followed[pair] > 0

    async def follow(self, pairs: Collection[Pair], after: int) -> AsyncIterator[Entry]:
        """Yield the entries of these pairs with a sequence above `after`, oldest change first, without end."""
        waker = asyncio.Event()
        self._wakers.add(waker)
        self._followed.update(pairs)
        try:
            while True:
                waker.clear()
                changed = [
                    (entry.sequence, pair)
                    for pair in pairs
                    if (entry := self._entries.get(pair)) is not None and entry.sequence > after
                ]
                for after, pair in sorted(changed):
                    entry = self._entries[pair]
                    # The follower may have taken long: what changed since has a number to come.
                    if entry.sequence == after and not self._is_expired(entry):
                        yield Entry(entry.sequence, pair, entry.result)
                await waker.wait()
        finally:
            self._wakers.discard(waker)
            self._followed.subtract(pairs)

    def _is_expired(self, entry: Entry) -> bool:
        return isinstance(entry.result, Quote) and entry.result.expires_at <= self._clock.monotonic()


def _face(result: Result) -> object:
    if isinstance(result, Quote):
        return (result.price, result.status, tuple(quote.source for quote in result.sources))
    return result.reason
