"""
Keep prices: fetch them, hold them while they are fresh, refresh them before they expire.

    look_up ──▶ cache ──hit──▶ quote
                  │ miss
                  ▼
    step ──▶ fetcher of the source ──outcome──▶ cache, schedule of refreshes, board

The board of a feed changes when a price arrives, and when one expires without a successor.
"""

from collections.abc import Collection, Iterable, Mapping

from meshkit.clock import Clock
from meshkit.errors import MeshError
from meshkit.log import get_logger
from meshkit.metrics import Registry
from services.aggregator.aggregate import aggregate
from services.aggregator.board import Board
from services.aggregator.cache import QuoteCache
from services.aggregator.config import AggregatorConfig
from services.aggregator.errors import UnknownPair
from services.aggregator.feeds import FeedMap
from services.aggregator.fetch import Fetcher
from services.aggregator.flight import Flight
from services.aggregator.pair import Pair
from services.aggregator.quote import Quote, Result, SourceOutcome, SourceQuote
from services.aggregator.registry import PairRegistry, Registration
from services.aggregator.schedule import Schedule
from services.aggregator.sources.source import Source

log = get_logger(__name__)


class PriceKeeper:
    """Keep the prices of all registered pairs."""

    def __init__(self, config: AggregatorConfig, sources: Iterable[Source], clock: Clock, metrics: Registry) -> None:
        self.fetchers: Mapping[str, Fetcher] = {
            source.DECLARATION.name: Fetcher(source, config, clock, metrics, fill=self._fill, deliver=self._deliver)
            for source in sources
        }
        self.feeds = FeedMap(config.feeds, self.fetchers.keys())
        # Room for a price of every registered pair, and for those that come with a batch before they are registered.
        self.cache = QuoteCache(clock, 2 * config.most_pairs)
        self.registry = PairRegistry(clock, config.most_pairs, config.cleanup_interval_ms)
        self.board = Board(clock)
        self._config = config
        self._clock = clock
        self._refreshes: Schedule[tuple[str, Pair]] = Schedule()
        self._expiries: Schedule[Pair] = Schedule()

    def pin(self, feed: Pair) -> None:
        """Fetch the pair of a feed from each of its sources now, and keep it fresh for ever."""
        sources = self.feeds.sources(feed)
        if not sources:
            log.warning("feed_without_source", feed=str(feed))
        for source, pair in sources.items():
            self.registry.pin(source, pair)
            self._launch(source, pair)

    def look_up(self, source: str, pair: Pair) -> SourceOutcome | Flight:
        """
        Return the fresh price of a source's pair, else the error of a failure just made, else a flight.

        The request registers the pair; a pair just found unknown is not registered again. TooManyPairs is among the
        errors returned.
        """
        fetcher = self.fetchers[source]
        cached = self.cache.get(source, pair)
        failure = None if cached is not None else fetcher.failure(pair)
        if failure is not None and self.registry.get(source, pair) is None:
            return failure
        try:
            self.registry.touch(source, pair)
        except MeshError as error:
            return error
        if cached is not None:
            fetcher.hits.inc()
            return cached
        fetcher.misses.inc()
        return failure or self._launch(source, pair)

    def touch(self, quote: Quote) -> None:
        """Count a request that was answered with a kept quote."""
        for used in quote.sources:
            self.fetchers[used.source].hits.inc()
            self.registry.touch(used.source, used.pair)

    def post(self, feed: Pair, result: Result) -> None:
        """Put a feed's new result on the board, and have it withdrawn when it expires."""
        self.board.post(feed, result)
        if isinstance(result, Quote):
            self._expiries.set(feed, result.expires_at)

    def forget_inactive(self, idle_s: float) -> int:
        """Remove the unpinned pairs that nobody asked for or follows during this time, and return their number."""
        removed = 0
        for entry in self.registry.inactive(idle_s):
            if not self._is_followed(entry):
                self._forget(entry.source, entry.pair)
                removed += 1
        return removed

    def step(self) -> float | None:
        """Launch the refreshes that are due and withdraw what has expired; return when something is due next."""
        now = self._clock.monotonic()
        for source, pair in self._refreshes.pop_due(now):
            entry = self.registry.get(source, pair)
            if entry is not None and self._is_refreshed(entry):
                self.fetchers[source].refreshes.inc()
                self._launch(source, pair)
        for feed in self._expiries.pop_due(now):
            self.post(feed, self._from_cache(feed))
        moments = (self._refreshes.next_at(), self._expiries.next_at())
        return min((moment for moment in moments if moment is not None), default=None)

    def _launch(self, source: str, pair: Pair) -> Flight:
        self._mark_fetched(source, pair)
        return self.fetchers[source].join(pair)

    def _fill(self, source: str, room: int, exclude: Collection[Pair]) -> list[Pair]:
        pairs = self.registry.fetched_longest_ago(source, room, exclude, self._is_worth_a_place)
        for pair in pairs:
            self._mark_fetched(source, pair)
        return pairs

    def _is_worth_a_place(self, entry: Registration) -> bool:
        return self._is_refreshed(entry) and self.fetchers[entry.source].failure(entry.pair) is None

    def _mark_fetched(self, source: str, pair: Pair) -> None:
        entry = self.registry.get(source, pair)
        if entry is not None:
            entry.last_fetch_at = self._clock.monotonic()

    def _is_refreshed(self, entry: Registration) -> bool:
        """Tell whether a pair is kept fresh: if configured or followed always, else if its source is set to."""
        if not self._config.refetch:
            return False
        return entry.pinned or self.fetchers[entry.source].settings.refetch or self._is_followed(entry)

    def _is_followed(self, entry: Registration) -> bool:
        return any(self.board.is_followed(feed) for feed in self.feeds.users(entry.source, entry.pair))

    def _deliver(self, source: str, pair: Pair, outcome: SourceOutcome, next_at: float) -> None:
        entry = self.registry.get(source, pair)
        if isinstance(outcome, UnknownPair) and entry is not None and not entry.pinned:
            self._forget(source, pair)
            return
        if entry is not None and self._is_refreshed(entry):
            self._refreshes.set((source, pair), next_at)
        if isinstance(outcome, SourceQuote):
            self.cache.put(outcome)
            for feed in self.feeds.users(source, pair):
                result = self._from_cache(feed)
                # Too few prices while the other sources are still asked is no news.
                if isinstance(result, Quote):
                    self.post(feed, result)

    def _forget(self, source: str, pair: Pair) -> None:
        self.registry.remove(source, pair)
        self._refreshes.drop((source, pair))
        self.cache.drop(source, pair)

    def _from_cache(self, feed: Pair) -> Result:
        quotes, failures = [], {}
        mapped = self.feeds.sources(feed)
        for source, pair in mapped.items():
            quote = self.cache.get(source, pair)
            if quote is not None:
                quotes.append(quote)
            elif (failure := self.fetchers[source].failure(pair)) is not None:
                failures[source] = failure
        return aggregate(feed, quotes, failures, mapped=len(mapped), minimum=self._config.minimum_sources)

    async def close(self) -> None:
        """Cancel all fetches and return when they have ended."""
        for fetcher in self.fetchers.values():
            await fetcher.close()
