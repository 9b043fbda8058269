"""
How many requests were answered from the cache, and when prices were last asked for.

A quote that is answered with again and again has a count of its own; who answers adds one to it, which costs nothing
next to looking its prices up. Counts are added up when somebody wants to know.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from meshkit.clock import Clock
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Quote, SourceQuote


@dataclass(slots=True, eq=False)
class RequestCount:
    """
    Count the requests that were answered with some prices as they stand.

    Attributes:
        prices: The prices that each of the requests was answered with.
        parts: The counts of a batch's quotes, which each of its requests belongs to as well.
    """

    prices: Sequence[SourceQuote] = ()
    parts: "Sequence[RequestCount]" = ()
    requests: int = 0
    is_closed: bool = False


class RequestCounts:
    """Open counts, add them up, and count what was looked up in the cache."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: set[RequestCount] = set()
        self._open_batches: set[RequestCount] = set()
        self._hits: Counter[str] = Counter()
        self._misses: Counter[str] = Counter()
        self._last_request_at: dict[tuple[str, Pair], float] = {}

    def open(self, quote: Quote | SourceQuote) -> RequestCount:
        """Return a count of the requests that are answered with a quote."""
        count = RequestCount(quote.sources if isinstance(quote, Quote) else (quote,))
        self._open.add(count)
        return count

    def open_batch(self, parts: Sequence[RequestCount]) -> RequestCount:
        """Return a count of the requests that are answered with several quotes at once."""
        count = RequestCount(parts=parts)
        self._open_batches.add(count)
        return count

    def close(self, count: RequestCount) -> None:
        """Add a count up for the last time: its quotes are answered with no more."""
        (self._open_batches if count.parts else self._open).discard(count)
        count.is_closed = True
        self._add(count)

    def hit(self, source: str) -> None:
        """Count a price of a source that was found fresh."""
        self._hits[source] += 1

    def miss(self, source: str) -> None:
        """Count a price of a source that had to be fetched."""
        self._misses[source] += 1

    def hits(self) -> Mapping[str, int]:
        """Return how many prices of each source were found fresh."""
        self._add_open()
        return self._hits

    def misses(self) -> Mapping[str, int]:
        """Return how many prices of each source had to be fetched."""
        return self._misses

    def take_requested(self) -> Mapping[tuple[str, Pair], float]:
        """Return the pairs that kept quotes were asked for of since this was last called, with a monotonic moment."""
        self._add_open()
        requested, self._last_request_at = self._last_request_at, {}
        return requested

    def _add_open(self) -> None:
        for count in (*self._open_batches, *self._open):
            self._add(count)

    def _add(self, count: RequestCount) -> None:
        requests, count.requests = count.requests, 0
        if not requests:
            return
        now = self._clock.monotonic()
        for price in count.prices:
            self._hits[price.source] += requests
            self._last_request_at[price.source, price.pair] = now
        for part in count.parts:
            part.requests += requests
            if part.is_closed:
                self._add(part)
