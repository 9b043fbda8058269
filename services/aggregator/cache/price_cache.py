"""
Put together the way of a price, from the sources to the current quotes.

    sources, streams ──▶ ingest ──▶ cache ──▶ feed quotes ──▶ current quotes
        ▲
        └── refresher: what is due; read-through cache: what is asked for and not there
"""

from collections.abc import Iterable

from meshkit.clock import Clock
from meshkit.metrics import Registry
from services.aggregator.cache.current_quotes import CurrentQuotes
from services.aggregator.cache.feed_beliefs import FeedBeliefs
from services.aggregator.cache.feed_quotes import FeedQuotes
from services.aggregator.cache.ingest import PriceIngest
from services.aggregator.cache.pair_registry import PairRegistry
from services.aggregator.cache.quote_cache import QuoteCache
from services.aggregator.cache.read_through import ReadThroughCache
from services.aggregator.cache.refresher import Refresher
from services.aggregator.cache.request_counts import RequestCounts
from services.aggregator.cache.retention import Retention
from services.aggregator.cache.schedule import Schedule
from services.aggregator.cache.streamed_feeds import StreamedFeeds
from services.aggregator.config import AggregatorConfig
from services.aggregator.fetching.acceptance import Acceptance
from services.aggregator.fetching.failures import RecentFailures
from services.aggregator.fetching.refusal_counts import Refusals
from services.aggregator.fetching.source_fetcher import SourceFetcher
from services.aggregator.fetching.source_jump_guard import SourceGuard
from services.aggregator.own_clock import OwnClock
from services.aggregator.prices.feeds import FeedMap
from services.aggregator.prices.pair import Pair
from services.aggregator.sources.source import Source
from services.aggregator.streams.source_stream import SourceStream
from services.aggregator.streams.streams import Streams


class PriceCache:
    """Hold the parts, each of which is used by its own name."""

    def __init__(
        self,
        config: AggregatorConfig,
        sources: Iterable[Source],
        clock: Clock,
        metrics: Registry,
        streams: Iterable[SourceStream] = (),
        own_clock: OwnClock | None = None,
    ) -> None:
        self.own_clock = own_clock or OwnClock(clock, metrics)
        asked = {source.DECLARATION.name: source for source in sources}
        declared = [source.DECLARATION for source in asked.values()]
        folds = {each.name: each.fold for each in declared}
        refreshes: Schedule[tuple[str, Pair]] = Schedule()
        self.feeds = FeedMap(config.feeds, folds, config.crosses, convert=config.converts_stablecoins)
        self.failures = RecentFailures(clock)
        self.refusals = Refusals(clock, config.most_pairs)
        self.requests = RequestCounts(clock)
        self.registry = PairRegistry(clock, config.most_pairs, config.cleanup_interval_ms, self.requests)
        # Room for a price of every registered pair, and for those that come with a batch before they are registered.
        self.quotes = QuoteCache(clock, 2 * config.most_pairs)
        self.current = CurrentQuotes(clock)
        guard = SourceGuard(clock, lambda source, pair: config.limits(next(iter(self.feeds.users(source, pair)), pair)))
        acceptances = {each.name: Acceptance(each, config, guard, clock, metrics, self.own_clock) for each in declared}
        self.beliefs = FeedBeliefs(config, declared, self.feeds, clock, metrics, cached=self.quotes, guard=guard)
        self.feed_quotes = FeedQuotes(
            self.feeds,
            self.beliefs,
            clock,
            cached=self.quotes,
            failures=self.failures,
            current=self.current,
            stablecoin_deviation_bps=config.stablecoin_deviation_bps,
            own_clock=self.own_clock,
        )
        self.streamed_feeds = StreamedFeeds(self.feeds, self.current, clock, self.feed_quotes.renew)
        self.own_clock.on_off = self.feed_quotes.withdraw_all
        self.retention = Retention(
            config,
            declared,
            self.feeds,
            registry=self.registry,
            current=self.current,
            cached=self.quotes,
            failures=self.failures,
            refusals=self.refusals,
            guard=guard,
            refreshes=refreshes,
        )
        self.ingest = PriceIngest(
            self.feeds,
            clock,
            acceptances=acceptances,
            registry=self.registry,
            cached=self.quotes,
            retention=self.retention,
            refreshes=refreshes,
            feed_quotes=self.feed_quotes,
            refusals=self.refusals,
            streamed_feeds=self.streamed_feeds,
        )
        self.fetchers = {
            name: SourceFetcher(
                source,
                config,
                clock,
                metrics,
                failures=self.failures,
                accept=self.ingest.fetched,
                fill=self.retention.fill,
            )
            for name, source in asked.items()
        }
        self.streams = Streams(
            streams,
            pairs=self.registry.pairs,
            deliver=lambda source, pair, tick: self.ingest.streamed(self.fetchers[source], pair, tick),
            settle=self.streamed_feeds.renew_wanted,
        )
        self.registry.on_change(self.streams.change)
        self.refresher = Refresher(
            self.feeds,
            self.fetchers,
            clock,
            registry=self.registry,
            retention=self.retention,
            refreshes=refreshes,
            feed_quotes=self.feed_quotes,
            streamed_feeds=self.streamed_feeds,
        )
        self.read_through = ReadThroughCache(
            cached=self.quotes,
            failures=self.failures,
            registry=self.registry,
            requests=self.requests,
            refresher=self.refresher,
        )

    async def close(self) -> None:
        """Close all streams, cancel all fetches, and return when they have ended."""
        await self.streams.close()
        for fetcher in self.fetchers.values():
            await fetcher.close()
