"""Answer with prices: from the cache, else made of what the sources say now; one object for HTTP and gRPC."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence

from meshkit.clock import Clock
from meshkit.errors import InvalidInput, MeshError
from services.aggregator.cache.current_quotes import CurrentQuotes, QuoteChange
from services.aggregator.cache.feed_quotes import FeedQuotes
from services.aggregator.cache.read_through import ReadThroughCache
from services.aggregator.cache.refresher import Refresher
from services.aggregator.config import AggregatorConfig
from services.aggregator.engine.pending_prices import GRACE_S, outcome_of, wait_for_prices
from services.aggregator.engine.ready_quotes import ReadyQuotes
from services.aggregator.engine.source_names import SourceNames
from services.aggregator.fetching.single_flight import PendingFetch
from services.aggregator.own_clock import OwnClock
from services.aggregator.prices.errors import PriceUnconfirmed, UnknownPair
from services.aggregator.prices.feed_price import quote_of, required
from services.aggregator.prices.feeds import FeedMap
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Quote, Result, SourceQuote

# So many pairs may be asked for at once.
MOST_PAIRS = 500


class QuoteAnswers:
    """Answer with quotes of feeds and with prices of single sources; `longest_wait_s` is how long a caller waits."""

    def __init__(
        self,
        config: AggregatorConfig,
        feeds: FeedMap,
        clock: Clock,
        *,
        sources: SourceNames,
        ready: ReadyQuotes,
        cache: ReadThroughCache,
        feed_quotes: FeedQuotes,
        current: CurrentQuotes,
        refresher: Refresher,
        own_clock: OwnClock,
    ) -> None:
        self._minimum = config.minimum_sources
        self.longest_wait_s = config.request_timeout_ms / 1000
        self._feeds = feeds
        self._clock = clock
        self._sources = sources
        self._ready = ready
        self._cache = cache
        self._feed_quotes = feed_quotes
        self._current = current
        self._refresher = refresher
        self._own_clock = own_clock

    async def quote(
        self, pair: Pair, *, sources: Collection[str] | None = None, timeout_s: float | None = None
    ) -> Quote:
        """
        Return the median of the fresh sources of a feed's pair, or of those among them that are named.

        The price of a cross feed is the quotient of its legs' medians. Raises UnknownPair, InvalidInput (an unknown
        source), TooFewSources, SourcesDisagree, QuoteTimeout, or the sources' own error where all of them failed in
        the same way.
        """
        feed = self._feeds.resolve(pair)
        if sources is None and (ready := self._ready.get(feed, self._clock.monotonic())) is not None:
            ready.count.requests += 1
            return ready.quote
        legs = self._feeds.cross(feed)
        if legs is not None:
            numerator, denominator = await asyncio.gather(*(self._result(leg, sources, timeout_s) for leg in legs))
            result = self._feed_quotes.cross(feed, numerator, denominator)
        else:
            result = await self._aggregate(feed, self._mapped(feed, sources), timeout_s)
        if sources is None:
            self._feed_quotes.put(feed, result)
        if isinstance(result, MeshError):
            raise result
        return result

    async def quotes(
        self, pairs: Sequence[Pair], *, sources: Collection[str] | None = None, timeout_s: float | None = None
    ) -> list[tuple[Pair, Result]]:
        """Return a quote or an error for each distinct pair, in the order of the first mention."""
        distinct = list(dict.fromkeys(pairs))
        results = await asyncio.gather(*(self._result(pair, sources, timeout_s) for pair in distinct))
        return list(zip(distinct, results, strict=True))

    def kept(self, pair: Pair, sources: Collection[str] | None = None) -> Quote | None:
        """Return the quote that the kept prices make of a pair now, without asking a source; None if they make none."""
        feed = self._feeds.resolve(pair)
        legs = self._feeds.cross(feed)
        if legs is not None:
            numerator, denominator = (self.kept(leg, sources) for leg in legs)
            if numerator is None or denominator is None:
                return None
            result = self._feed_quotes.cross(feed, numerator, denominator)
        else:
            result = self._feed_quotes.price_of_kept(feed, self._mapped(feed, sources))
        if isinstance(result, MeshError):
            return None
        if sources is None:
            self._feed_quotes.put(feed, result)
        return result

    async def source_quote(self, source: str, pair: Pair, *, timeout_s: float | None = None) -> SourceQuote:
        """
        Return one source's price of a pair in the source's own spelling.

        Raises UnknownSource, SourceDisabled, UnknownPair, TooManyPairs, QuoteTimeout, OwnClockOff, or as the fetch.
        """
        self._sources.require_enabled(source)
        spelled = self._sources.fold(source, pair)
        found = self._cache.look_up(source, spelled)
        wait_s = self._wait_s(timeout_s)
        if isinstance(found, PendingFetch):
            await asyncio.wait([found.outcome], timeout=wait_s)
        outcome = outcome_of(found, spelled, source, wait_s)
        if isinstance(outcome, MeshError):
            raise outcome
        self._own_clock.require_right()
        return outcome

    async def mapped_quote(self, source: str, pair: Pair, *, timeout_s: float | None = None) -> Quote:
        """Return one source's price of a feed's pair, or of a pair in the source's own spelling if no feed has it."""
        self._sources.require_enabled(source)
        try:
            spelled = self._feeds.sources(self._feeds.resolve(pair)).get(source, pair)
        except UnknownPair:
            spelled = pair
        return quote_of(pair, [await self.source_quote(source, spelled, timeout_s=timeout_s)], 1)

    async def follow(self, pairs: Sequence[Pair], after: int) -> AsyncIterator[QuoteChange]:
        """
        Yield the changes of these pairs after a sequence number, oldest first, without end.

        Raises UnknownPair for a pair that no source is mapped to.
        """
        feeds = list(dict.fromkeys(self._feeds.resolve(pair) for pair in pairs))
        for feed in feeds:
            for leg in self._feeds.cross(feed) or (feed,):
                self._mapped(leg, None)
            self._refresher.watch(feed)
        first = [asyncio.create_task(self._result(feed, None, None)) for feed in feeds]
        try:
            async for change in self._current.follow(feeds, after):
                yield change
        finally:
            for task in first:
                task.cancel()
            await asyncio.gather(*first, return_exceptions=True)

    def resolve(self, pair: Pair) -> Pair:
        """Return the pair as its feed spells it; raise UnknownPair, or InvalidInput if several feeds differ by case."""
        return self._feeds.resolve(pair)

    async def _result(self, pair: Pair, sources: Collection[str] | None, timeout_s: float | None) -> Result:
        try:
            return await self.quote(pair, sources=sources, timeout_s=timeout_s)
        except MeshError as error:
            return error

    async def _aggregate(self, feed: Pair, mapped: Mapping[str, Pair], timeout_s: float | None) -> Result:
        """Return the price of a feed; if it has to last before it is believed, wait for that and ask again."""
        deadline = self._clock.monotonic() + self._wait_s(timeout_s)
        while True:
            left_s = deadline - self._clock.monotonic()
            result = await self._aggregate_once(feed, mapped, left_s)
            wait_s = result.wait_s if isinstance(result, PriceUnconfirmed) else None
            if wait_s is None or self._clock.monotonic() + wait_s >= deadline:
                return result
            await self._clock.sleep(wait_s)

    async def _aggregate_once(self, feed: Pair, mapped: Mapping[str, Pair], wait_s: float) -> Result:
        found = {source: self._cache.look_up(source, pair) for source, pair in mapped.items()}
        fetches = [item for item in found.values() if isinstance(item, PendingFetch)]
        fresh = sum(isinstance(item, SourceQuote) for item in found.values())
        rates = [asyncio.create_task(self._result(rate, None, wait_s)) for rate in self._feeds.legs(feed)]
        try:
            await wait_for_prices(fetches, fresh, required(len(mapped), self._minimum), wait_s, self._clock)
            if rates:
                # A coin's price that is slow to come costs its users no more than a slow source does.
                await asyncio.wait(rates, timeout=GRACE_S)
        finally:
            for task in rates:
                task.cancel()
        now = self._clock.monotonic()
        quotes: list[SourceQuote] = []
        failures: dict[str, MeshError] = {}
        for source, item in found.items():
            outcome = outcome_of(item, mapped[source], source, wait_s)
            if isinstance(outcome, MeshError):
                failures[source] = outcome
            elif outcome.expires_at > now:  # the first price may have expired while a slower source was awaited
                quotes.append(outcome)
        return self._feed_quotes.price(feed, quotes, failures, mapped)

    def _mapped(self, feed: Pair, sources: Collection[str] | None) -> Mapping[str, Pair]:
        mapped = self._feeds.sources(feed)
        if sources is not None:
            for source in sources:
                if source not in self._sources.enabled:
                    allowed = "the enabled sources " + ", ".join(sorted(self._sources.enabled))
                    raise InvalidInput("sources", source, allowed)
            mapped = {source: pair for source, pair in mapped.items() if source in sources}
        if not mapped:
            raise UnknownPair(feed, ", ".join(sorted(sources)) if sources else "")
        return mapped

    def _wait_s(self, timeout_s: float | None) -> float:
        return self.longest_wait_s if timeout_s is None else min(timeout_s, self.longest_wait_s)
