"""
Keep registered pairs fresh: fetch them anew shortly before their prices expire.

One loop does what is due. Each price that comes, also by a stream, puts off the refresh of its pair, so that REST is
asked for what no stream brings.
"""

from collections.abc import Mapping

from meshkit.clock import Clock
from meshkit.log import get_logger
from services.aggregator.cache.feed_quotes import FeedQuotes
from services.aggregator.cache.pair_registry import PairRegistry
from services.aggregator.cache.retention import Retention
from services.aggregator.cache.schedule import Schedule
from services.aggregator.cache.streamed_feeds import StreamedFeeds
from services.aggregator.fetching.single_flight import PendingFetch
from services.aggregator.fetching.source_fetcher import SourceFetcher
from services.aggregator.prices.feeds import FeedMap
from services.aggregator.prices.pair import Pair

_log = get_logger(__name__)

# New keys are never due earlier than this after they are set, so the loop need not be woken for them.
LONGEST_SLEEP_S = 0.1
SHORTEST_SLEEP_S = 0.005
CRASHED_AGAIN_S = 1.0
# Quotes that nobody waits for are renewed some at once, a few milliseconds' work.
RENEWED_TOGETHER, RENEWAL_GAP_S = 20, 0.02


class Refresher:
    """
    Register pairs and fetch them when that is due.

    Args:
        fetchers: By the names of their sources.
        refreshes: When each pair is to be fetched again.
    """

    def __init__(
        self,
        feeds: FeedMap,
        fetchers: Mapping[str, SourceFetcher],
        clock: Clock,
        *,
        registry: PairRegistry,
        retention: Retention,
        refreshes: Schedule[tuple[str, Pair]],
        feed_quotes: FeedQuotes,
        streamed_feeds: StreamedFeeds,
    ) -> None:
        self._feeds = feeds
        self._fetchers = fetchers
        self._clock = clock
        self._registry = registry
        self._retention = retention
        self._refreshes = refreshes
        self._feed_quotes = feed_quotes
        self._streamed_feeds = streamed_feeds

    def pin(self, feed: Pair) -> None:
        """Fetch the pair of a feed from each of its sources now, and keep it fresh for ever."""
        for leg in self._feeds.legs(feed):
            self.pin(leg)
        sources = self._feeds.sources(feed)
        if not sources and self._feeds.cross(feed) is None:
            _log.warning("feed_without_source", feed=str(feed))
        for source, pair in sources.items():
            self._registry.pin(source, pair)
            self.fetch(source, pair)

    def preload(self, source: str, pair: Pair) -> None:
        """Register a pair as if it was requested now, and fetch it; raise TooManyPairs if the registry is full."""
        spelled = self._fetchers[source].fold(pair)
        self._registry.touch(source, spelled)
        self.fetch(source, spelled)

    def watch(self, feed: Pair) -> None:
        """Keep the pairs of a feed fresh from now on, as somebody follows it; raise TooManyPairs."""
        for leg in self._feeds.legs(feed):
            self.watch(leg)
        for source, pair in self._feeds.sources(feed).items():
            self._registry.touch(source, pair)
            # No fetch has scheduled it if nobody wanted it so far.
            if (source, pair) not in self._refreshes:
                self._refreshes.set((source, pair), self._clock.monotonic())

    def fetch(self, source: str, pair: Pair) -> PendingFetch:
        """Fetch a pair now, or join the fetch of it that is under way."""
        self._registry.mark_fetched(source, pair)
        return self._fetchers[source].fetch(pair)

    def step(self) -> float | None:
        """Begin the refreshes that are due and withdraw what has expired; return when something is due next."""
        for source, pair in self._refreshes.pop_due(self._clock.monotonic()):
            try:
                self._refresh(source, pair)
            except Exception:
                # A defect that one pair brings to light must cost no other pair its refresh.
                _log.exception("refresh_crashed", source=source, pair=str(pair))
                self._refreshes.set((source, pair), self._clock.monotonic() + CRASHED_AGAIN_S)
        expiry_at, refresh_at = self._feed_quotes.withdraw_expired(), self._refreshes.next_at()
        renewal_at = self._streamed_feeds.renew_due(RENEWED_TOGETHER)
        if renewal_at is not None:
            renewal_at = max(renewal_at, self._clock.monotonic() + RENEWAL_GAP_S)
        return min((moment for moment in (expiry_at, refresh_at, renewal_at) if moment is not None), default=None)

    def _refresh(self, source: str, pair: Pair) -> None:
        entry = self._registry.get(source, pair)
        if entry is not None and self._retention.is_refreshed(entry):
            self._registry.mark_fetched(source, pair)
            self._fetchers[source].refresh(pair)

    async def run(self) -> None:
        """Do what is due whenever something is, for ever."""
        while True:
            due_at = self.step()
            wait_s = LONGEST_SLEEP_S if due_at is None else due_at - self._clock.monotonic()
            await self._clock.sleep(min(max(wait_s, SHORTEST_SLEEP_S), LONGEST_SLEEP_S))
