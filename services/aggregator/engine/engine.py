"""Keep prices fresh and answer with them: what the service starts, and stops."""

import asyncio
from collections.abc import Iterable
from decimal import Decimal

from meshkit.clock import Clock
from meshkit.log import get_logger
from meshkit.metrics import Registry
from meshkit.process.background_tasks import BackgroundTasks
from services.aggregator.cache import preload
from services.aggregator.cache.price_cache import PriceCache
from services.aggregator.config import AggregatorConfig
from services.aggregator.engine.answers import QuoteAnswers
from services.aggregator.engine.ready_quotes import ReadyQuotes
from services.aggregator.engine.source_names import SourceNames
from services.aggregator.engine.source_verdicts import SourceVerdicts
from services.aggregator.engine.status import EngineStatus
from services.aggregator.fetching.circuit_breaker import CircuitState
from services.aggregator.own_clock import OwnClock
from services.aggregator.prices.errors import TooManyPairs
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Quote
from services.aggregator.sources.source import Source
from services.aggregator.streams.source_stream import SourceStream

_log = get_logger(__name__)

DEFAULT_IDLE_MS = 7_200_000
# A source that is down at the start must not keep everybody else waiting for ever.
WARM_UP_S = 5.0


class Engine:
    """
    Run what keeps prices fresh, and hold what answers.

    Tasks: the refresher, the clean-up, and the fetches. `close` ends the first two, then the streams and the fetches.

    Attributes:
        sources: The names of the sources.
        answers: What callers ask for.
        ready: The quotes that can be answered with as they stand.
        cached: The accepted prices of sources.
        requests: Where requests are counted that are answered with these as they stand.
        status: What operators may see.
        verdicts: What became of the sources of each feed.
        own_clock: Whether our own clock is right.
    """

    def __init__(
        self,
        config: AggregatorConfig,
        sources: Iterable[Source],
        clock: Clock,
        metrics: Registry,
        streams: Iterable[SourceStream] = (),
        own_clock: OwnClock | None = None,
    ) -> None:
        self._config = config
        self._clock = clock
        self._cache = cache = PriceCache(config, sources, clock, metrics, streams, own_clock)
        self._tasks = BackgroundTasks(clock, metrics)
        self.sources = SourceNames(config, {name: fetcher.fold for name, fetcher in cache.fetchers.items()})
        self.cached = cache.quotes
        self.requests = cache.requests
        self.ready = ReadyQuotes(
            cache.feeds,
            clock,
            current=cache.current,
            streamed_feeds=cache.streamed_feeds,
            failures=cache.failures,
            requests=cache.requests,
        )
        self.answers = QuoteAnswers(
            config,
            cache.feeds,
            clock,
            sources=self.sources,
            ready=self.ready,
            cache=cache.read_through,
            feed_quotes=cache.feed_quotes,
            current=cache.current,
            refresher=cache.refresher,
            own_clock=cache.own_clock,
        )
        self.own_clock = cache.own_clock
        self.verdicts = SourceVerdicts(
            cache.feeds,
            clock,
            cached=cache.quotes,
            beliefs=cache.beliefs,
            failures=cache.failures,
            is_cut_off=lambda name: cache.fetchers[name].caller.circuit.state(clock.monotonic()) is CircuitState.OPEN,
        )
        self.status = EngineStatus(
            config,
            cache.fetchers,
            clock,
            feeds=cache.feeds,
            sources=self.sources,
            streams=cache.streams,
            registry=cache.registry,
            cached=cache.quotes,
            requests=cache.requests,
            feed_quotes=cache.feed_quotes,
            refusals=cache.refusals,
        )

    def refer(self, feed: Pair, price: Decimal) -> None:
        """Take a price that a feed is known to have had, such as the last answer on chain, as its predecessor."""
        self._cache.feed_quotes.refer(feed, price)

    def wait_for_references(self, waits: bool) -> None:
        """Let no feed have its first price without a reference from now on, or again."""
        self._cache.feed_quotes.wait_for_references(waits)

    async def start(self) -> None:
        """Begin to fetch the configured feeds and to keep all registered pairs fresh."""
        for feed, price in self._config.reference_prices.items():
            self.refer(feed, price)
        for feed in self._config.pinned:
            self._cache.refresher.pin(feed)
        self._preload()
        self._tasks.start("refresh", self._cache.refresher.run)
        if self._config.inactive_timeout_ms is not None:
            self._tasks.start("clean-up", self._clean_up)

    async def warm_up(self, timeout_s: float = WARM_UP_S) -> bool:
        """Return True once every configured feed has a price, False if the time was over first."""
        missing = set(self._config.pinned)
        if not missing:
            return True
        try:
            async with asyncio.timeout(timeout_s):
                async for change in self._cache.current.follow(self._config.pinned, 0):
                    if isinstance(change.result, Quote):
                        missing.discard(change.pair)
                    if not missing:
                        break
        except TimeoutError:
            _log.warning("feeds_without_price", feeds=sorted(str(pair) for pair in missing))
        return not missing

    async def close(self) -> None:
        """Stop everything that was started and return when it has ended."""
        await self._tasks.close()
        await self._cache.close()

    def clear_inactive(self, idle_ms: int | None = None) -> int:
        """Remove the unpinned pairs that nobody asked for or follows during this time, and return their number."""
        if idle_ms is None:
            idle_ms = self._config.inactive_timeout_ms or DEFAULT_IDLE_MS
        return self._cache.retention.forget_inactive(idle_ms / 1000)

    def _preload(self) -> None:
        if self._config.pairs_file is None:
            return
        for source, pair in preload.load(self._config.pairs_file, self._cache.fetchers.keys()):
            try:
                self._cache.refresher.preload(source, pair)
            except TooManyPairs as error:
                _log.warning("pairs_file_too_long", path=str(self._config.pairs_file), error=str(error))
                return

    async def _clean_up(self) -> None:
        while True:
            await self._clock.sleep(self._config.cleanup_interval_ms / 1000)
            if removed := self.clear_inactive():
                _log.info("inactive_pairs_removed", count=removed)
