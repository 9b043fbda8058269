"""
The quotes that can be answered with as they stand, each beside its JSON, so that a request makes nothing anew.

    board, cache ──a request finds no text──▶ shelf ──until another price, or the quote's end──▶ every further request

Whether a quote is still the present one and still fresh is looked at for every request. Requests are counted here and
handed on in sums, at the latest when the price changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import add
from typing import Generic, TypeVar

from cachetools import LRUCache

from meshkit.clock import Clock
from services.aggregator.cache.price_keeper import PriceKeeper
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Quote, QuoteStatus, SourceQuote
from services.aggregator.web import quote_json

# A quote without some of its sources is looked at so often: whether one of them may be asked again.
DEGRADED_S = 0.1
_MOST_SOURCE_QUOTES = 5_000
_GONE = float("-inf")
# Operators ask for the same few batches again and again.
MOST_BATCHES = 64

Q = TypeVar("Q", Quote, SourceQuote)


@dataclass(slots=True)
class Kept(Generic[Q]):
    """Hold a quote, the monotonic moment until which it may be answered with, its JSON, and its uncounted requests."""

    quote: Q
    until: float
    text: bytes
    requests: int = 0


@dataclass(slots=True)
class Joined:
    """Hold the JSON of a batch's quotes, until when and for which version of the board, and its uncounted requests."""

    kept: Sequence[Kept[Quote]]
    text: bytes
    until: float
    version: int
    requests: int = 0


class Shelf:
    """Keep the quotes that were asked for last."""

    def __init__(self, keeper: PriceKeeper, clock: Clock) -> None:
        self._keeper = keeper
        self._clock = clock
        # Feeds are known and few; source pairs are what callers ask for.
        self._quotes: dict[Pair, Kept[Quote]] = {}
        self._joined: LRUCache[object, Joined] = LRUCache(MOST_BATCHES)
        self._source_quotes: LRUCache[tuple[str, Pair], Kept[SourceQuote]] = LRUCache(_MOST_SOURCE_QUOTES)

    def quote(self, feed: Pair) -> Quote | None:
        """Return the quote of a feed and count the request; None if it has to be made."""
        kept = self._kept(feed, self._clock.monotonic())
        if kept is None:
            return None
        kept.requests += 1
        return kept.quote

    def texts(self, feeds: Sequence[Pair | None]) -> list[bytes | None]:
        """Return the JSON of each feed's quote, an object without its opening brace; None for one to be made."""
        now = self._clock.monotonic()
        texts: list[bytes | None] = []
        for feed in feeds:
            kept = None if feed is None else self._kept(feed, now)
            if kept is None:
                texts.append(None)
            else:
                kept.requests += 1
                texts.append(kept.text)
        return texts

    def joined(self, batch: object, feeds: Sequence[Pair | None], heads: Sequence[bytes]) -> bytes | None:
        """
        Return the entries of a batch, each a head and its feed's text, separated by commas; None if one is to be made.

        `batch` is what the same feeds and heads are known by at the next request.
        """
        now, version = self._clock.monotonic(), self._keeper.board.version
        held = self._joined.get(batch)
        if held is not None and held.version == version and held.until > now:
            held.requests += 1
            return held.text
        if held is not None:
            self._count_joined(held)
        elif len(self._joined) == MOST_BATCHES:
            self._count_joined(*self._joined.values())
        kept = [None if feed is None else self._kept(feed, now) for feed in feeds]
        whole = [one for one in kept if one is not None]
        if len(whole) < len(feeds):
            return None
        text = b",".join(map(add, heads, (one.text for one in whole)))
        self._joined[batch] = Joined(whole, text, min(one.until for one in whole), version, 1)
        return text

    def source_text(self, source: str, pair: Pair) -> bytes | None:
        """Return the JSON of a source's price and count the request; None if it has to be fetched."""
        kept = self._source_quotes.get((source, pair))
        now = self._clock.monotonic()
        if kept is None or kept.until <= now or self._keeper.cache.get(source, kept.quote.pair) is not kept.quote:
            if kept is not None:
                self._count(kept)
            fetcher = self._keeper.fetchers.get(source)
            if fetcher is None:
                return None
            quote = self._keeper.cache.get(source, fetcher.fold(pair))
            if quote is None:
                return None
            kept = Kept(quote, quote.expires_at, quote_json.source_text(quote))
            self._source_quotes[source, pair] = kept
        kept.requests += 1
        return kept.text

    def count(self) -> None:
        """Hand on all requests counted so far."""
        self._count_joined(*self._joined.values())
        for kept in self._quotes.values():
            self._count(kept)
        for used in self._source_quotes.values():
            self._count(used)

    def _kept(self, feed: Pair, now: float) -> Kept[Quote] | None:
        quote = self._keeper.board.get(feed)
        kept = self._quotes.get(feed)
        if kept is not None:
            if kept.quote is quote and kept.until > now:
                return kept
            self._count(kept)
            kept.until = _GONE
        until = self._until(feed, quote, now) if isinstance(quote, Quote) else now
        if not isinstance(quote, Quote) or until <= now:
            self._quotes.pop(feed, None)
            return None
        text = kept.text if kept is not None and kept.quote is quote else quote_json.quote_text(quote)
        kept = self._quotes[feed] = Kept(quote, until, text)
        return kept

    def _until(self, feed: Pair, quote: Quote, now: float) -> float:
        if quote.status is QuoteStatus.FRESH:
            return quote.expires_at
        present = {used.source for used in (*quote.sources, *quote.outliers)}
        mapped = self._keeper.feeds.sources(feed)
        if not mapped:
            return now
        for source, pair in mapped.items():
            if source not in present and self._keeper.fetchers[source].failure(pair) is None:
                return now
        return min(quote.expires_at, now + DEGRADED_S)

    def _count(self, kept: Kept[Quote] | Kept[SourceQuote]) -> None:
        if kept.requests:
            self._keeper.touch(kept.quote, kept.requests)
            kept.requests = 0

    def _count_joined(self, *batches: Joined) -> None:
        for held in batches:
            requests, held.requests = held.requests, 0
            for kept in held.kept if requests else ():
                kept.requests += requests
                if kept.until == _GONE:
                    self._count(kept)
