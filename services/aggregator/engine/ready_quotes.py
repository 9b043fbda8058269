"""The current quotes that can be answered with as they stand, each until it ends or may be completed."""

from dataclasses import dataclass

from meshkit.clock import Clock
from services.aggregator.cache.current_quotes import CurrentQuotes
from services.aggregator.cache.request_counts import RequestCount, RequestCounts
from services.aggregator.cache.streamed_feeds import StreamedFeeds
from services.aggregator.fetching.failures import RecentFailures
from services.aggregator.prices.feeds import FeedMap
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Quote, QuoteStatus

# A quote without some of its sources is looked at so often: whether one of them may be asked again.
DEGRADED_S = 0.1


@dataclass(slots=True, eq=False)
class ReadyQuote:
    """Hold a quote, the monotonic moment until which it may be answered with, and its requests: who answers counts."""

    quote: Quote
    until: float
    count: RequestCount


class ReadyQuotes:
    """Hold the quotes that were asked for last."""

    def __init__(
        self,
        feeds: FeedMap,
        clock: Clock,
        *,
        current: CurrentQuotes,
        streamed_feeds: StreamedFeeds,
        failures: RecentFailures,
        requests: RequestCounts,
    ) -> None:
        self._feeds = feeds
        self._clock = clock
        self._current = current
        self._streamed_feeds = streamed_feeds
        self._failures = failures
        self._requests = requests
        # Feeds are known and few.
        self._ready: dict[Pair, ReadyQuote] = {}

    @property
    def version(self) -> int:
        """Return a number that grows with every quote that is put in place, or will be when it is asked for."""
        return self._current.version + self._streamed_feeds.version

    def get(self, feed: Pair, now: float) -> ReadyQuote | None:
        """Return the quote of a feed if it can be answered with at this monotonic moment; None if it has to be made."""
        self._streamed_feeds.settle(feed)
        quote = self._current.get(feed)
        ready = self._ready.get(feed)
        if ready is not None and ready.quote is quote:
            if ready.until > now:
                return ready
            ready.until = self._until(feed, ready.quote, now)
            if ready.until > now:
                return ready
        until = self._until(feed, quote, now) if isinstance(quote, Quote) else now
        if ready is not None:
            self._requests.close(ready.count)
            del self._ready[feed]
        if not isinstance(quote, Quote) or until <= now:
            return None
        ready = self._ready[feed] = ReadyQuote(quote, until, self._requests.open(quote))
        return ready

    def _until(self, feed: Pair, quote: Quote, now: float) -> float:
        if quote.status is QuoteStatus.FRESH:
            return quote.expires_at
        present = {used.source for used in (*quote.sources, *(left.quote for left in quote.left_out))}
        mapped = self._feeds.sources(feed)
        if not mapped:
            return now
        for source, pair in mapped.items():
            if source not in present and self._failures.error(source, pair) is None:
                return now
        return min(quote.expires_at, now + DEGRADED_S)
