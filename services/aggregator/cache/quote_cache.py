"""Accepted prices by source and pair, each until it expires."""

from collections.abc import Iterator
from dataclasses import replace

from cachetools import LRUCache

from meshkit.clock import Clock
from services.aggregator.expiring_map import ExpiringMap
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import SourceQuote

Key = tuple[str, Pair]

# Answers of Kraken's REST API come out of a cache of about this age.
UNTIMED_LAG_MS = 2_000


class QuoteCache:
    """Hold at most `capacity` quotes; a quote is gone at the millisecond it expires, the least used one when full."""

    def __init__(self, clock: Clock, capacity: int) -> None:
        self._quotes: ExpiringMap[Key, SourceQuote] = ExpiringMap(clock, capacity)
        self._last_ms: LRUCache[Key, int] = LRUCache(capacity)

    def put(self, quote: SourceQuote) -> SourceQuote:
        """
        Keep a quote until it expires, and return the quote that is now served.

        It takes the place of the one of the same source and pair, unless that is still fresh and of a later time by
        the exchange's clock: a REST answer may lag behind the stream. An answer without a time may be that much old.
        """
        present = self.get(quote.source, quote.pair)
        time_ms = quote.observed_ms - (UNTIMED_LAG_MS if quote.exchange_time_ms is None else 0)
        if present is not None and present.exchange_time_ms is not None and present.observed_ms > time_ms:
            return present
        self._quotes.put((quote.source, quote.pair), quote, quote.expires_at)
        self._last_ms[quote.source, quote.pair] = quote.observed_ms
        return quote

    def last_ms(self, source: str, pair: Pair) -> int | None:
        """Return when the last quote was observed, fresh or not, Unix milliseconds; None if none is remembered."""
        return self._last_ms.get((source, pair))

    def get(self, source: str, pair: Pair) -> SourceQuote | None:
        """Return the quote if it is still fresh."""
        return self._quotes.get((source, pair))

    def shorten(self, source: str, pair: Pair, until: float) -> None:
        """Let a quote end at a monotonic moment, if it is there and would last longer."""
        quote = self.get(source, pair)
        if quote is not None and quote.expires_at > until:
            self._quotes.put((source, pair), replace(quote, expires_at=until), until)

    def drop(self, source: str, pair: Pair) -> None:
        """Forget a quote, if it is there."""
        self._quotes.pop((source, pair))

    def fresh(self) -> Iterator[SourceQuote]:
        """Return the fresh quotes, in no particular order."""
        return self._quotes.values()
