"""
The JSON of quotes that can be answered with as they stand, so that a request makes nothing anew.

    ready quotes, cache ──a request finds no text──▶ text ──▶ every further request

A text serves until there is another price, or its quote ends; both are looked at for every request.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import add
from typing import Any, Generic, Protocol, TypeVar

from cachetools import LRUCache

from meshkit.clock import Clock
from services.aggregator.cache.quote_cache import QuoteCache
from services.aggregator.cache.request_counts import RequestCount, RequestCounts
from services.aggregator.engine.ready_quotes import ReadyQuotes
from services.aggregator.engine.source_names import SourceNames
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Quote, SourceQuote
from services.aggregator.web import quote_json

_MOST_SOURCE_QUOTES = 5_000
# Operators ask for the same few batches again and again.
MOST_BATCHES = 64


@dataclass(slots=True)
class _FeedText:
    quote: Quote
    text: bytes


@dataclass(slots=True)
class _SourceText:
    quote: SourceQuote
    text: bytes
    count: RequestCount


@dataclass(slots=True)
class _BatchText:
    """Hold the JSON of a batch's quotes, until when and for which version of the ready quotes."""

    text: bytes
    until: float
    version: int
    count: RequestCount


class _Counted(Protocol):
    """A text with the count of the requests that were answered with it."""

    @property
    def count(self) -> RequestCount:
        """Return the count."""
        ...


T = TypeVar("T", bound=_Counted)


class RenderedQuotes:
    """Hold the JSON of the quotes that were asked for last."""

    def __init__(
        self, ready: ReadyQuotes, clock: Clock, *, cached: QuoteCache, sources: SourceNames, requests: RequestCounts
    ) -> None:
        self._ready = ready
        self._clock = clock
        self._cached = cached
        self._sources = sources
        self._requests = requests
        # Feeds are known and few; source pairs are what callers ask for.
        self._feed_texts: dict[Pair, _FeedText] = {}
        self._batch_texts: _CountedTexts[_BatchText] = _CountedTexts(MOST_BATCHES, requests)
        self._source_texts: _CountedTexts[_SourceText] = _CountedTexts(_MOST_SOURCE_QUOTES, requests)

    def quote(self, feed: Pair) -> Quote | None:
        """Return the quote of a feed and count the request; None if it has to be made."""
        ready = self._ready.get(feed, self._clock.monotonic())
        if ready is None:
            return None
        ready.count.requests += 1
        return ready.quote

    def texts(self, feeds: Sequence[Pair | None]) -> list[bytes | None]:
        """
        Return the JSON of each feed's quote, an object without its opening brace, and count the request.

        It is None for a quote that has to be made, and where there is no feed.
        """
        now, get, text_of = self._clock.monotonic(), self._ready.get, self._text
        texts: list[bytes | None] = []
        for feed in feeds:
            if feed is None or (ready := get(feed, now)) is None:
                texts.append(None)
            else:
                ready.count.requests += 1
                texts.append(text_of(feed, ready.quote))
        return texts

    def batch_text(self, batch: object, feeds: Sequence[Pair | None], heads: Sequence[bytes]) -> bytes | None:
        """
        Return the entries of a batch, each a head and its feed's text, separated by commas, and count the request.

        It is None if one of them is to be made. `batch` is what the same feeds and heads are known by at the next
        request.
        """
        now, version = self._clock.monotonic(), self._ready.version
        held = self._batch_texts.get(batch)
        if held is not None and held.version == version and held.until > now:
            held.count.requests += 1
            return held.text
        whole, texts = [], []
        for feed in feeds:
            if feed is None or (ready := self._ready.get(feed, now)) is None:
                return None
            whole.append(ready)
            texts.append(self._text(feed, ready.quote))
        text = b",".join(map(add, heads, texts))
        count = self._requests.open_batch([ready.count for ready in whole])
        count.requests += 1
        self._batch_texts.put(batch, _BatchText(text, min(ready.until for ready in whole), version, count))
        return text

    def source_text(self, source: str, pair: Pair) -> bytes | None:
        """Return the JSON of a source's price and count the request; None if it has to be fetched."""
        held = self._source_texts.get((source, pair))
        now = self._clock.monotonic()
        if held is None or held.quote.expires_at <= now or self._cached.get(source, held.quote.pair) is not held.quote:
            quote = None
            if source in self._sources.enabled:
                quote = self._cached.get(source, self._sources.fold(source, pair))
            if quote is None:
                return None
            held = _SourceText(quote, quote_json.source_text(quote), self._requests.open(quote))
            self._source_texts.put((source, pair), held)
        held.count.requests += 1
        return held.text

    def _text(self, feed: Pair, quote: Quote) -> bytes:
        held = self._feed_texts.get(feed)
        if held is None or held.quote is not quote:
            held = self._feed_texts[feed] = _FeedText(quote, quote_json.quote_text(quote))
        return held.text


class _CountedTexts(LRUCache[Any, T], Generic[T]):
    """Hold texts; the count of one that is replaced or has no room any more is closed."""

    def __init__(self, capacity: int, requests: RequestCounts) -> None:
        super().__init__(capacity)
        self._requests = requests

    def put(self, key: object, text: T) -> None:
        """Put a text in place."""
        replaced = self.get(key)
        if replaced is not None:
            self._requests.close(replaced.count)
        self[key] = text

    def popitem(self) -> tuple[Any, T]:
        """Remove and return the text that was used longest ago."""
        key, text = super().popitem()
        self._requests.close(text.count)
        return key, text
