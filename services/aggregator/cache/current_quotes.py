"""The current price of each feed, numbered by change, and who follows them."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass

from meshkit.clock import Clock
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Quote, Result


@dataclass(slots=True)
class QuoteChange:
    """Hold a pair's present quote or error and the sequence number of the change that brought it."""

    sequence: int
    pair: Pair
    result: Result


class CurrentQuotes:
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
        self._changes: dict[Pair, QuoteChange] = {}
        self._wakers: set[asyncio.Event] = set()
        self.version = 0
        self._followed: Counter[Pair] = Counter()

    def get(self, pair: Pair) -> Result | None:
        """Return the latest result of a pair, which may be stale, or None before the first."""
        change = self._changes.get(pair)
        return None if change is None else change.result

    def put(self, pair: Pair, result: Result) -> None:
        """Put a pair's new result in place; it is numbered and sent only if it is a change, as after an expiry."""
        self.version += 1
        change = self._changes.get(pair)
        if change is not None and _shown(change.result) == _shown(result) and not self._is_expired(change):
            change.result = result
            return
        self._sequence += 1
        self._changes[pair] = QuoteChange(self._sequence, pair, result)
        for waker in self._wakers:
            waker.set()

    def priced(self) -> list[Pair]:
        """Return the pairs whose latest result is a quote."""
        return [pair for pair, change in self._changes.items() if isinstance(change.result, Quote)]

    @property
    def is_any_followed(self) -> bool:
        """Tell whether somebody follows any pair now."""
        return bool(self._wakers)

    def is_followed(self, pair: Pair) -> bool:
        """Tell whether somebody follows the pair now."""
        return self._followed[pair] > 0

    async def follow(self, pairs: Collection[Pair], after: int) -> AsyncIterator[QuoteChange]:
        """Yield the changes of these pairs with a sequence above `after`, oldest change first, without end."""
        waker = asyncio.Event()
        self._wakers.add(waker)
        self._followed.update(pairs)
        try:
            while True:
                waker.clear()
                changed = [
                    (change.sequence, pair)
                    for pair in pairs
                    if (change := self._changes.get(pair)) is not None and change.sequence > after
                ]
                for after, pair in sorted(changed):
                    change = self._changes[pair]
                    # The follower may have taken long: what changed since has a number to come.
                    if change.sequence == after and not self._is_expired(change):
                        yield QuoteChange(change.sequence, pair, change.result)
                await waker.wait()
        finally:
            self._wakers.discard(waker)
            self._followed.subtract(pairs)

    def _is_expired(self, change: QuoteChange) -> bool:
        return isinstance(change.result, Quote) and change.result.expires_at <= self._clock.monotonic()


def _shown(result: Result) -> object:
    if isinstance(result, Quote):
        return (result.price, result.status, tuple(quote.source for quote in result.sources))
    return result.reason
