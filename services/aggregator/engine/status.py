"""What operators may see of the registered pairs, of the configured feeds and of the sources."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from meshkit.clock import Clock
from services.aggregator.cache.feed_quotes import FeedQuotes
from services.aggregator.cache.pair_registry import NEVER, PairRegistry
from services.aggregator.cache.quote_cache import QuoteCache
from services.aggregator.cache.request_counts import RequestCounts
from services.aggregator.config import AggregatorConfig
from services.aggregator.engine.source_names import SourceNames
from services.aggregator.fetching.circuit_breaker import CircuitState
from services.aggregator.fetching.refusal_counts import Refusal, Refusals
from services.aggregator.fetching.source_fetcher import SourceFetcher
from services.aggregator.prices.feeds import FeedMap
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Quote, SourceQuote
from services.aggregator.streams.streams import Streams


@dataclass(frozen=True, slots=True)
class PairStatus:
    """
    Hold a registered pair.

    Attributes:
        last_request_ms: When somebody last asked for it, 0 if nobody did; all times are Unix milliseconds.
        quote: Its price; None if none is fresh.
        last_fetch_ms: When a fetch of it last began; 0 if none did.
        refusals: Why it had no price, the latest reason first.
    """

    source: str
    pair: Pair
    last_request_ms: int
    quote: SourceQuote | None
    registered_ms: int = 0
    last_fetch_ms: int = 0
    refusals: Sequence[Refusal] = ()


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """
    Hold how a source is doing; one that is switched off, or that this version does not have, is not enabled.

    Attributes:
        circuit: Whether it is being called; None if it is not enabled.
        rps: How many calls a second are allowed; None for no bound.
        calls_running: How many fetches are under way, of at most `max_concurrent`.
        calls_waiting: How many fetches wait for a place.
        silent_until_ms: Until when it asked not to be called; None if it may be called now.
        stream_connected: Whether its stream's connections are up; None if it has no stream.
        last_stream_ms: When its stream last brought a message; None before the first.
        refusals: Why pairs of it had no price, the latest reason first.
    """

    name: str
    enabled: bool = False
    available: bool = False
    registered_pairs: int = 0
    fresh_pairs: int = 0
    last_success_ms: int | None = None
    last_error: str = ""
    circuit: CircuitState | None = None
    rps: Fraction | None = None
    max_concurrent: int = 0
    calls_running: int = 0
    calls_waiting: int = 0
    silent_until_ms: int | None = None
    stream_connected: bool | None = None
    last_stream_ms: int | None = None
    refusals: Sequence[Refusal] = ()


class EngineStatus:
    """Look at the engine; nothing is changed by that."""

    def __init__(
        self,
        config: AggregatorConfig,
        fetchers: Mapping[str, SourceFetcher],
        clock: Clock,
        *,
        feeds: FeedMap,
        sources: SourceNames,
        streams: Streams,
        registry: PairRegistry,
        cached: QuoteCache,
        requests: RequestCounts,
        feed_quotes: FeedQuotes,
        refusals: Refusals,
    ) -> None:
        self._pinned = config.pinned
        self._fetchers = fetchers
        self._clock = clock
        self._feeds = feeds
        self._sources = sources
        self._streams = streams
        self._registry = registry
        self._cached = cached
        self._requests = requests
        self._feed_quotes = feed_quotes
        self._refusals = refusals

    def pairs(self, source: str = "") -> list[PairStatus]:
        """Return the registered pairs of one source, or of all, by source, base and quote; raise UnknownSource."""
        if source:
            self._sources.require_known(source)
        return [
            PairStatus(
                entry.source,
                entry.pair,
                entry.last_request_ms,
                self._cached.get(entry.source, entry.pair),
                entry.registered_ms,
                self._unix_ms(entry.last_fetch_at),
                self._refusals.of_pair(entry.source, entry.pair),
            )
            for name in ([source] if source else sorted(self._fetchers))
            for entry in self._registry.of_source(name)
        ]

    def feeds(self) -> dict[Pair, Quote | None]:
        """Return the configured feeds' pairs, each with its quote if one is fresh."""
        found = {feed: self._feed_quotes.fresh(feed) for feed in self._pinned}
        return {feed: result if isinstance(result, Quote) else None for feed, result in found.items()}

    def scores(self) -> dict[str, Fraction]:
        """
        Return for each source in how many of the configured feeds it counts, of those that have a price, from 0 to 1.

        A price without the source does not count as its word: it was an outlier, in another unit, too old, or not
        there. A source that no such feed is mapped to has no score; nor can a feed without a price tell who was right.
        """
        mapped, counted = Counter[str](), Counter[str]()
        for feed, quote in self.feeds().items():
            if quote is None:
                continue
            used = {(each.source, each.pair) for each in quote.sources}
            for leg in self._feeds.cross(feed) or (feed,):
                for source, pair in self._feeds.sources(leg).items():
                    mapped[source] += 1
                    counted[source] += (source, pair) in used
        return {source: Fraction(counted[source], whole) for source, whole in mapped.items()}

    def sources(self) -> list[SourceStatus]:
        """Return the status of every configured source by name."""
        fresh = Counter(quote.source for quote in self._cached.fresh())
        return [self._source(name, fresh[name]) for name in self._sources.known]

    def source(self, name: str) -> SourceStatus:
        """Return the status of one source; raise UnknownSource."""
        self._sources.require_known(name)
        return next(status for status in self.sources() if status.name == name)

    def hits(self) -> dict[str, int]:
        """Return how many prices of each enabled source were found fresh in the cache since the start."""
        hits = self._requests.hits()
        return {name: hits.get(name, 0) for name in self._fetchers}

    def misses(self) -> dict[str, int]:
        """Return how many prices of each enabled source had to be fetched for a request since the start."""
        misses = self._requests.misses()
        return {name: misses.get(name, 0) for name in self._fetchers}

    def _unix_ms(self, moment: float) -> int:
        """Return the Unix time of a moment on the monotonic clock, 0 for one that never was."""
        if moment == NEVER:
            return 0
        return self._clock.time_ms() - int((self._clock.monotonic() - moment) * 1000)

    def _source(self, name: str, fresh: int) -> SourceStatus:
        fetcher = self._fetchers.get(name)
        if fetcher is None:
            return SourceStatus(name)
        caller, now = fetcher.caller, self._clock.monotonic()
        stream = self._streams.state(name)
        silent_s = caller.silence.until - now
        return SourceStatus(
            name=name,
            enabled=True,
            available=caller.health.available,
            registered_pairs=self._registry.count_of(name),
            fresh_pairs=fresh,
            last_success_ms=caller.health.last_success_ms,
            last_error=caller.health.last_error,
            circuit=caller.circuit.state(now),
            rps=fetcher.settings.rps,
            max_concurrent=caller.queue.max_concurrent,
            calls_running=caller.queue.running,
            calls_waiting=caller.queue.waiting,
            silent_until_ms=self._clock.time_ms() + int(silent_s * 1000) if silent_s > 0 else None,
            stream_connected=None if stream is None else stream.connected,
            last_stream_ms=None if stream is None else stream.last_message_ms,
            refusals=self._refusals.of_source(name),
        )
