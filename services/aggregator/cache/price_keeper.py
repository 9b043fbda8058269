"""
Keep prices: fetch them, hold them while they are fresh, refresh them before they expire.

    look_up ──▶ cache ──hit──▶ quote
                  │ miss
                  ▼
    step ──▶ fetcher of the source ──outcome──▶ cache, schedule of refreshes, board
                  ▲
    streams ──────┘ each price puts off the refresh, so that REST is asked for what no stream brings

The board of a feed changes when a price arrives, and when one expires without a successor. A feed that is computed
with other feeds' prices (its legs) changes with them.
"""

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from itertools import islice

from meshkit.clock import Clock
from meshkit.errors import MeshError
from meshkit.log import get_logger
from meshkit.metrics import Registry
from services.aggregator.cache.current_quotes import Board
from services.aggregator.cache.expiry_schedule import Schedule
from services.aggregator.cache.pair_registry import PairRegistry, Registration
from services.aggregator.cache.quote_cache import QuoteCache
from services.aggregator.config import AggregatorConfig
from services.aggregator.fetching.fetcher import Fetcher
from services.aggregator.fetching.single_flight import Flight
from services.aggregator.prices.cross_rate import converted, quotient
from services.aggregator.prices.errors import ConversionMissing, TooFewSources, UnknownPair
from services.aggregator.prices.feeds import FeedMap
from services.aggregator.prices.median import Rules, aggregate, median
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Quote, Result, SourceOutcome, SourceQuote
from services.aggregator.sources.source import Source, TickOutcome
from services.aggregator.streams.source_stream import SourceStream
from services.aggregator.streams.streams import Streams

log = get_logger(__name__)


class PriceKeeper:
    """Keep the prices of all registered pairs."""

    def __init__(
        self,
        config: AggregatorConfig,
        sources: Iterable[Source],
        clock: Clock,
        metrics: Registry,
        streams: Iterable[SourceStream] = (),
    ) -> None:
        self.fetchers: Mapping[str, Fetcher] = {
            source.DECLARATION.name: Fetcher(
                source, config, clock, metrics, fill=self._fill, deliver=self._deliver, reference=self._reference
            )
            for source in sources
        }
        folds = {name: fetcher.fold for name, fetcher in self.fetchers.items()}
        self.feeds = FeedMap(config.feeds, folds, config.crosses, convert=config.converts_stablecoins)
        # Room for a price of every registered pair, and for those that come with a batch before they are registered.
        self.cache = QuoteCache(clock, 2 * config.most_pairs)
        self.streams = Streams(streams, pairs=self._registered, deliver=self._stream, settle=self._post_moved)
        self.registry = PairRegistry(clock, config.most_pairs, config.cleanup_interval_ms, self.streams.change)
        self.board = Board(clock)
        self.rules = Rules(
            minimum=config.minimum_sources,
            outlier_floor_bps=config.outlier_floor_bps,
            outlier_factor=config.outlier_factor,
            max_spread_bps=config.max_spread_bps,
            weights={name: fetcher.settings.weight for name, fetcher in self.fetchers.items()},
        )
        self._config = config
        self._clock = clock
        self._refreshes: Schedule[tuple[str, Pair]] = Schedule()
        self._expiries: Schedule[Pair] = Schedule()
        self._moved: dict[Pair, None] = {}
        self._is_streaming = False

    def pin(self, feed: Pair) -> None:
        """Fetch the pair of a feed from each of its sources now, and keep it fresh for ever."""
        for leg in self.feeds.legs(feed):
            self.pin(leg)
        sources = self.feeds.sources(feed)
        if not sources and self.feeds.cross(feed) is None:
            log.warning("feed_without_source", feed=str(feed))
        for source, pair in sources.items():
            self.registry.pin(source, pair)
            self._launch(source, pair)

    def preload(self, source: str, pair: Pair) -> None:
        """Register a pair as if it was requested now, and fetch it; raise TooManyPairs if the registry is full."""
        spelled = self.fetchers[source].fold(pair)
        self.registry.touch(source, spelled)
        self._launch(source, spelled)

    def watch(self, feed: Pair) -> None:
        """Keep the pairs of a feed fresh from now on, as somebody follows it; raise TooManyPairs."""
        for leg in self.feeds.legs(feed):
            self.watch(leg)
        for source, pair in self.feeds.sources(feed).items():
            self.registry.touch(source, pair)
            self._resume(source, pair)

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

    def touch(self, quote: Quote | SourceQuote, requests: int) -> None:
        """Count requests that were answered with a kept quote, the last of them just now."""
        for used in quote.sources if isinstance(quote, Quote) else (quote,):
            self.fetchers[used.source].hits.inc(requests)
            is_known = self.registry.get(used.source, used.pair) is not None
            self.registry.touch(used.source, used.pair)
            if not is_known:
                self._resume(used.source, used.pair)

    def post(self, feed: Pair, result: Result) -> None:
        """Put a feed's new result on the board, and have it withdrawn when it expires."""
        self.board.post(feed, result)
        if isinstance(result, Quote):
            self._expiries.set(feed, result.expires_at)
        for dependent in self.feeds.dependents(feed):
            computed = self._from_cache(dependent)
            if isinstance(computed, Quote) or self.board.get(dependent) is not None:
                self.post(dependent, computed)

    def price(
        self, feed: Pair, quotes: Iterable[SourceQuote], failures: Mapping[str, MeshError], mapped: int
    ) -> Result:
        """
        Return the price of a feed made of its sources' fresh prices, or the error that tells why there is none.

        Prices in a stablecoin are converted by the price on the board, where the configuration says so.
        """
        usable: list[SourceQuote] = []
        failed = dict(failures)
        for quote in quotes:
            pair = self.feeds.conversion(feed, quote.pair)
            if pair is None:
                usable.append(quote)
                continue
            rate = self.fresh(pair)
            if isinstance(rate, Quote):
                usable.append(converted(quote, rate))
            else:
                failed[quote.source] = ConversionMissing(quote.source, pair)
        return aggregate(feed, usable, failed, mapped=mapped, rules=self.rules)

    def cross(self, feed: Pair, numerator: Result, denominator: Result) -> Result:
        """Return the price of a feed made of its two legs' prices, or the error of the leg that has none."""
        if isinstance(numerator, MeshError):
            return numerator
        if isinstance(denominator, MeshError):
            return denominator
        return quotient(feed, numerator, denominator)

    def fresh(self, feed: Pair) -> Result | None:
        """Return the latest result of a feed, None if there is none or its price has expired."""
        result = self.board.get(feed)
        if isinstance(result, Quote) and result.expires_at <= self._clock.monotonic():
            return None
        return result

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
                self.fetchers[source].count_refresh(self._launch(source, pair))
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

    def _is_retried(self, entry: Registration) -> bool:
        """Tell whether a refreshed pair is tried again after a failure, though nobody asks for it."""
        if entry.pinned or self._is_followed(entry):
            return True
        config = self._config
        return config.retries and self.fetchers[entry.source].failures(entry.pair) < config.most_failures

    def _is_followed(self, entry: Registration) -> bool:
        return any(self._is_wanted(feed) for feed in self.feeds.users(entry.source, entry.pair))

    def _is_wanted(self, feed: Pair) -> bool:
        return self.board.is_followed(feed) or any(self._is_wanted(user) for user in self.feeds.dependents(feed))

    def _resume(self, source: str, pair: Pair) -> None:
        """Have a registered pair refreshed again, which no fetch has scheduled since nobody wanted it."""
        if (source, pair) not in self._refreshes:
            self._refreshes.set((source, pair), self._clock.monotonic())

    def _reference(self, source: str, pair: Pair) -> Decimal | None:
        prices = [
            quote.price
            for feed in self.feeds.users(source, pair)
            for other, spelled in self.feeds.sources(feed).items()
            if other != source and (quote := self.cache.get(other, spelled)) is not None
        ]
        return median(prices) if prices else None

    def _registered(self, source: str) -> list[Pair]:
        return [entry.pair for entry in self.registry.of_source(source)]

    def _stream(self, source: str, pair: Pair, tick: TickOutcome) -> None:
        if self.registry.get(source, pair) is None:
            return
        # Most feeds have a price of each of their sources in a turn, and are made of them once.
        self._is_streaming = True
        try:
            self.fetchers[source].offer(pair, tick)
        finally:
            self._is_streaming = False

    def _post_moved(self, most: int) -> bool:
        """Post so many of the feeds whose prices came by stream; tell whether there are more."""
        for feed in list(islice(self._moved, most)):
            del self._moved[feed]
            self._post_fresh(feed)
        return bool(self._moved)

    def _post_fresh(self, feed: Pair) -> None:
        result = self._from_cache(feed)
        # Too few prices while the other sources are still asked is no news.
        if isinstance(result, Quote):
            self.post(feed, result)

    def _deliver(self, source: str, pair: Pair, outcome: SourceOutcome, next_at: float) -> None:
        entry = self.registry.get(source, pair)
        if entry is None:
            return  # it was forgotten meanwhile, and whoever still waits for it has the flight
        if isinstance(outcome, UnknownPair) and not entry.pinned:
            self._forget(source, pair)
            return
        if isinstance(outcome, SourceQuote):
            kept = self.cache.put(outcome)
            # A price that came too late does not prolong the one that is served.
            next_at = min(next_at, kept.expires_at)
        if self._is_refreshed(entry) and (isinstance(outcome, SourceQuote) or self._is_retried(entry)):
            self._refreshes.set((source, pair), next_at)
        if isinstance(outcome, SourceQuote):
            for feed in self.feeds.users(source, pair):
                if self._is_streaming:
                    self._moved[feed] = None
                else:
                    self._post_fresh(feed)

    def _forget(self, source: str, pair: Pair) -> None:
        self.registry.remove(source, pair)
        self._refreshes.drop((source, pair))
        self.cache.drop(source, pair)
        self.fetchers[source].guard.forget(pair)

    def _from_cache(self, feed: Pair) -> Result:
        if (legs := self.feeds.cross(feed)) is not None:
            numerator, denominator = (self.fresh(leg) or TooFewSources(leg, 0, 1, {}) for leg in legs)
            return self.cross(feed, numerator, denominator)
        quotes, failures = [], {}
        mapped = self.feeds.sources(feed)
        for source, pair in mapped.items():
            quote = self.cache.get(source, pair)
            if quote is not None:
                quotes.append(quote)
            elif (failure := self.fetchers[source].failure(pair)) is not None:
                failures[source] = failure
        return self.price(feed, quotes, failures, len(mapped))

    async def close(self) -> None:
        """Close all streams, cancel all fetches, and return when they have ended."""
        await self.streams.close()
        for fetcher in self.fetchers.values():
            await fetcher.close()
