"""
Answer with prices; one object for HTTP and gRPC.

Tasks: the refresh loop, the clean-up loop, and the fetchers' flights. `close` ends the loops first, then the flights.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence

from meshkit.clock import Clock
from meshkit.errors import InvalidInput, MeshError
from meshkit.log import get_logger
from meshkit.metrics import Registry
from services.aggregator.cache import preload, refresh_loop
from services.aggregator.cache.current_quotes import Entry
from services.aggregator.cache.pair_registry import NEVER
from services.aggregator.cache.price_keeper import PriceKeeper
from services.aggregator.config import AggregatorConfig
from services.aggregator.fetching.single_flight import Flight
from services.aggregator.prices.errors import QuoteTimeout, SourceDisabled, TooManyPairs, UnknownPair, UnknownSource
from services.aggregator.prices.median import quote_of, required
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Quote, Result, SourceOutcome, SourceQuote
from services.aggregator.source_state import PairState, SourceState
from services.aggregator.sources.catalog import DECLARATIONS
from services.aggregator.sources.source import Source
from services.aggregator.streams.source_stream import SourceStream
from services.aggregator.web.rendered_quotes import Shelf

log = get_logger(__name__)

# Once enough sources have answered, a slower one gets this long since its fetch began, then the answer goes without it.
GRACE_S = 0.25
DEFAULT_IDLE_MS = 7_200_000
# A source that is down at the start must not keep everybody else waiting for ever.
WARM_UP_S = 5.0


class Engine:
    """Answer with prices, fetching what is missing."""

    def __init__(
        self,
        config: AggregatorConfig,
        sources: Iterable[Source],
        clock: Clock,
        metrics: Registry,
        streams: Iterable[SourceStream] = (),
    ) -> None:
        self._config = config
        self._clock = clock
        self._keeper = PriceKeeper(config, sources, clock, metrics, streams)
        self.shelf = Shelf(self._keeper, clock)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to fetch the configured feeds and to keep all registered pairs fresh."""
        for feed in self._config.pinned:
            self._keeper.pin(feed)
        self._preload()
        self._tasks.append(asyncio.create_task(refresh_loop.run(self._keeper.step, self._clock)))
        if self._config.inactive_timeout_ms is not None:
            self._tasks.append(asyncio.create_task(self._clean_up()))

    async def warm_up(self, timeout_s: float = WARM_UP_S) -> bool:
        """Return True once every configured feed has a price, False if the time was over first."""
        missing = set(self._config.pinned)
        if not missing:
            return True
        try:
            async with asyncio.timeout(timeout_s):
                async for entry in self._keeper.board.follow(self._config.pinned, 0):
                    if isinstance(entry.result, Quote):
                        missing.discard(entry.pair)
                    if not missing:
                        break
        except TimeoutError:
            log.warning("feeds_without_price", feeds=sorted(str(pair) for pair in missing))
        return not missing

    async def close(self) -> None:
        """Stop everything that was started and return when it has ended."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._keeper.close()

    async def quote(
        self, pair: Pair, *, sources: Collection[str] | None = None, timeout_s: float | None = None
    ) -> Quote:
        """
        Return the median of the fresh sources of a feed's pair, or of those among them that are named.

        The price of a cross feed is the quotient of its legs' medians. Raises UnknownPair, InvalidInput (an unknown
        source), TooFewSources, SourcesDisagree, QuoteTimeout, or the sources' own error where all of them failed in
        the same way.
        """
        feed = self._keeper.feeds.resolve(pair)
        if sources is None:
            current = self.shelf.quote(feed)
            if current is not None:
                return current
        legs = self._keeper.feeds.cross(feed)
        if legs is not None:
            numerator, denominator = await asyncio.gather(*(self._result(leg, sources, timeout_s) for leg in legs))
            result = self._keeper.cross(feed, numerator, denominator)
        else:
            result = await self._aggregate(feed, self._mapped(feed, sources), timeout_s)
        if sources is None:
            self._keeper.post(feed, result)
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

    async def source_quote(self, source: str, pair: Pair, *, timeout_s: float | None = None) -> SourceQuote:
        """
        Return one source's price of a pair in the source's own spelling.

        Raises UnknownSource, SourceDisabled, UnknownPair, TooManyPairs, QuoteTimeout, and whatever the fetch raises.
        """
        self._require_enabled(source)
        spelled = self._keeper.fetchers[source].fold(pair)
        found = self._keeper.look_up(source, spelled)
        wait_s = self._wait_s(timeout_s)
        if isinstance(found, Flight):
            await asyncio.wait([found.landed], timeout=wait_s)
        outcome = _outcome(found, spelled, source, wait_s)
        if isinstance(outcome, MeshError):
            raise outcome
        return outcome

    async def mapped_quote(self, source: str, pair: Pair, *, timeout_s: float | None = None) -> Quote:
        """Return one source's price of a feed's pair, or of a pair in the source's own spelling if no feed has it."""
        self._require_enabled(source)
        try:
            spelled = self._keeper.feeds.sources(self._keeper.feeds.resolve(pair)).get(source, pair)
        except UnknownPair:
            spelled = pair
        return quote_of(pair, [await self.source_quote(source, spelled, timeout_s=timeout_s)], 1)

    async def follow(self, pairs: Sequence[Pair], after: int) -> AsyncIterator[Entry]:
        """
        Yield the changes of these pairs after a sequence number, oldest first, without end.

        Raises UnknownPair for a pair that no source is mapped to.
        """
        feeds = list(dict.fromkeys(self._keeper.feeds.resolve(pair) for pair in pairs))
        for feed in feeds:
            for leg in self._keeper.feeds.cross(feed) or (feed,):
                self._mapped(leg, None)
            self._keeper.watch(feed)
        first = [asyncio.create_task(self._result(feed, None, None)) for feed in feeds]
        try:
            async for entry in self._keeper.board.follow(feeds, after):
                yield entry
        finally:
            for task in first:
                task.cancel()
            await asyncio.gather(*first, return_exceptions=True)

    def resolve(self, pair: Pair) -> Pair:
        """Return the pair as its feed spells it; raise UnknownPair, or InvalidInput if several feeds differ by case."""
        return self._keeper.feeds.resolve(pair)

    def pairs(self, source: str = "") -> list[PairState]:
        """Return the registered pairs of one source, or of all, by source, base and quote; raise UnknownSource."""
        if source:
            self._require_known(source)
        self.shelf.count()
        cache, registry = self._keeper.cache, self._keeper.registry
        return [
            PairState(
                entry.source,
                entry.pair,
                entry.last_request_ms,
                cache.get(entry.source, entry.pair),
                entry.registered_ms,
                self._unix_ms(entry.last_fetch_at),
            )
            for name in ([source] if source else sorted(self._keeper.fetchers))
            for entry in registry.of_source(name)
        ]

    def _unix_ms(self, moment: float) -> int:
        """Return the Unix time of a moment on the monotonic clock, 0 for one that never was."""
        if moment == NEVER:
            return 0
        return self._clock.time_ms() - int((self._clock.monotonic() - moment) * 1000)

    def feeds(self) -> dict[Pair, Quote | None]:
        """Return the configured feeds' pairs, each with its quote if one is fresh."""
        found = {feed: self._keeper.fresh(feed) for feed in self._config.pinned}
        return {feed: result if isinstance(result, Quote) else None for feed, result in found.items()}

    def source_states(self) -> list[SourceState]:
        """Return the state of every configured source by name."""
        fresh: dict[str, int] = {}
        for quote in self._keeper.cache.fresh():
            fresh[quote.source] = fresh.get(quote.source, 0) + 1
        return [self._state(name, fresh.get(name, 0)) for name in self._source_names()]

    def source_state(self, source: str) -> SourceState:
        """Return the state of one source; raise UnknownSource."""
        self._require_known(source)
        return next(state for state in self.source_states() if state.name == source)

    def clear_inactive(self, idle_ms: int | None = None) -> int:
        """Remove the unpinned pairs that nobody asked for or follows during this time, and return their number."""
        if idle_ms is None:
            idle_ms = self._config.inactive_timeout_ms or DEFAULT_IDLE_MS
        # Who is asked for all the time has a kept price, and its requests are not handed on until another one comes.
        self.shelf.count()
        return self._keeper.forget_inactive(idle_ms / 1000)

    async def _result(self, pair: Pair, sources: Collection[str] | None, timeout_s: float | None) -> Result:
        try:
            return await self.quote(pair, sources=sources, timeout_s=timeout_s)
        except MeshError as error:
            return error

    async def _aggregate(self, feed: Pair, mapped: Mapping[str, Pair], timeout_s: float | None) -> Result:
        found = {source: self._keeper.look_up(source, pair) for source, pair in mapped.items()}
        minimum = self._config.minimum_sources
        wait_s = self._wait_s(timeout_s)
        flights = [item for item in found.values() if isinstance(item, Flight)]
        fresh = sum(isinstance(item, SourceQuote) for item in found.values())
        landing = self._land(flights, fresh, required(len(mapped), minimum), wait_s)
        rates = self._keeper.feeds.legs(feed)
        if rates:
            await asyncio.gather(landing, *(self._result(rate, None, timeout_s) for rate in rates))
        else:
            await landing
        now = self._clock.monotonic()
        quotes: list[SourceQuote] = []
        failures: dict[str, MeshError] = {}
        for source, item in found.items():
            outcome = _outcome(item, mapped[source], source, wait_s)
            if isinstance(outcome, MeshError):
                failures[source] = outcome
            elif outcome.expires_at > now:  # the first price may have expired while a slower source was awaited
                quotes.append(outcome)
        return self._keeper.price(feed, quotes, failures, len(mapped))

    async def _land(self, flights: Iterable[Flight], fresh: int, needed: int, wait_s: float) -> None:
        """Wait for flights until all have landed or the time is over; with enough prices, only for the grace time."""
        deadline = self._clock.monotonic() + wait_s
        pending = {flight.landed: flight for flight in flights}
        while pending:
            until = deadline
            if fresh >= needed:
                until = min(until, max(flight.started_at for flight in pending.values()) + GRACE_S)
            left_s = until - self._clock.monotonic()
            if left_s <= 0:
                return
            done, _ = await asyncio.wait(pending, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                return
            for landed in done:
                del pending[landed]
                fresh += isinstance(landed.result(), SourceQuote)

    def _mapped(self, feed: Pair, sources: Collection[str] | None) -> Mapping[str, Pair]:
        mapped = self._keeper.feeds.sources(feed)
        if sources is not None:
            enabled = self._keeper.fetchers
            for source in sources:
                if source not in enabled:
                    raise InvalidInput("sources", source, "the enabled sources " + ", ".join(sorted(enabled)))
            mapped = {source: pair for source, pair in mapped.items() if source in sources}
        if not mapped:
            raise UnknownPair(feed, ", ".join(sorted(sources)) if sources else "")
        return mapped

    def _wait_s(self, timeout_s: float | None) -> float:
        longest_s = self._config.request_timeout_ms / 1000
        return longest_s if timeout_s is None else min(timeout_s, longest_s)

    def _require_enabled(self, source: str) -> None:
        self._require_known(source)
        if source not in self._keeper.fetchers:
            raise SourceDisabled(source)

    def _require_known(self, source: str) -> None:
        names = self._source_names()
        if source not in names:
            raise UnknownSource(source, ", ".join(names))

    def _source_names(self) -> list[str]:
        # The configuration spells a source without the dash that its route has.
        named = (DECLARATIONS[key].name if key in DECLARATIONS else key for key in self._config.sources)
        return sorted({*named, *self._keeper.fetchers})

    def _state(self, name: str, fresh: int) -> SourceState:
        fetcher = self._keeper.fetchers.get(name)
        if fetcher is None:
            return SourceState(name)
        caller, now = fetcher.caller, self._clock.monotonic()
        stream = self._keeper.streams.state(name)
        silent_s = caller.silent_until - now
        return SourceState(
            name=name,
            enabled=True,
            available=caller.health.available,
            registered_pairs=len(self._keeper.registry.of_source(name)),
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
        )

    def _preload(self) -> None:
        if self._config.pairs_file is None:
            return
        for source, pair in preload.load(self._config.pairs_file, self._keeper.fetchers.keys()):
            try:
                self._keeper.preload(source, pair)
            except TooManyPairs as error:
                log.warning("pairs_file_too_long", path=str(self._config.pairs_file), error=str(error))
                return

    async def _clean_up(self) -> None:
        while True:
            await self._clock.sleep(self._config.cleanup_interval_ms / 1000)
            if removed := self.clear_inactive():
                log.info("inactive_pairs_removed", count=removed)


def _outcome(item: SourceOutcome | Flight, pair: Pair, source: str, wait_s: float) -> SourceOutcome:
    if not isinstance(item, Flight):
        return item
    return item.landed.result() if item.landed.done() else QuoteTimeout(pair, source, int(wait_s * 1000))
