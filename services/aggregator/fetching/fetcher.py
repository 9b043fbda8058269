"""One source as the engine sees it: joined fetches, validated outcomes, remembered failures, its state."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from cachetools import TLRUCache

from meshkit.clock import Clock
from meshkit.errors import MeshError, RateLimited
from meshkit.log import get_logger
from meshkit.metrics import Registry
from services.aggregator.config import AggregatorConfig, SourceConfig
from services.aggregator.fetching.caller import Caller
from services.aggregator.fetching.single_flight import Flight, Flights
from services.aggregator.prices.errors import MalformedAnswer, PriceRefused, UnknownPair
from services.aggregator.prices.jump_guard import CONFIRMATION_GAP_S, JumpGuard
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import SourceOutcome, SourceQuote
from services.aggregator.prices.validate import accept
from services.aggregator.sources.source import Source, TickOutcome

log = get_logger(__name__)

WINDOW_S = 0.01
# An unknown pair may be listed some day; a fault may be over in a moment.
UNKNOWN_RETRY_S = 60.0
FIRST_RETRY_S = 0.25
LONGEST_RETRY_S = 5.0
# So many fetches a second apart may confirm a jump; a source that contradicts itself is asked less often then.
_CONFIRMING_TRIES = 5
# A refresh begins in the last part of the time to live, as late as the source's answer times allow.
SHORTEST_LEAD_S = 0.25
_LEAD_PARTS = 8
_LEAD_ANSWERS = 4
# A batch has hundreds of prices; requests have their turn after so many of them, a millisecond's work or two.
LANDED_TOGETHER = 16
_MOST_FAILURES = 10_000
# After the pair was to be fetched again: only a failure that follows soon is one of the same row.
_FAILURE_MEMORY_S = 300.0


@dataclass(frozen=True, slots=True)
class Failure:
    """
    Hold why a pair has no price, and how many times in a row it had none.

    Attributes:
        retry_at: From when on it is fetched again for whoever asks.
        next_at: When it is fetched again though nobody asks.
    """

    error: MeshError
    count: int
    retry_at: float
    next_at: float


def retry_delay_s(error: MeshError, count: int, longest_s: float = LONGEST_RETRY_S) -> float:
    """Return how long to wait after `count` failures in a row: doubling to `longest_s`, or as the error says."""
    if isinstance(error, RateLimited):
        return error.retry_after_ms / 1000
    if isinstance(error, UnknownPair):
        return UNKNOWN_RETRY_S
    delay_s = min(FIRST_RETRY_S * 2.0 ** min(count - 1, 16), longest_s)
    if isinstance(error, PriceRefused) and error.rule == "jump":
        # A real jump is confirmed while the price of before it is still fresh.
        return max(CONFIRMATION_GAP_S, delay_s) if count > _CONFIRMING_TRIES else CONFIRMATION_GAP_S
    return delay_s


def lead_s(ttl_s: float, longest_s: float, slowest_s: float) -> float:
    """
    Return how long before expiry a refresh begins.

    It is an eighth of the time to live or four times the slowest recent answer, whichever is more, but never over
    `longest_s` (staleTriggerBeforeExpiry) or half the time to live: an early refresh costs calls, a late one misses.
    """
    return min(max(ttl_s / _LEAD_PARTS, _LEAD_ANSWERS * slowest_s, SHORTEST_LEAD_S), longest_s, ttl_s / 2)


class Fetcher:
    """
    Fetch from one source.

    After a failure the pair is left alone for a while, in which its error is the answer.

    Args:
        fill: Return up to so many further pairs that a batch should carry as well.
        deliver: Called with each outcome before any caller sees it, and with the monotonic moment of the next try.
        reference: Return the median of the other sources' fresh prices of what a source's pair prices, if any.
    """

    def __init__(
        self,
        source: Source,
        config: AggregatorConfig,
        clock: Clock,
        metrics: Registry,
        *,
        fill: Callable[[str, int, Collection[Pair]], Sequence[Pair]],
        deliver: Callable[[str, Pair, SourceOutcome, float], None],
        reference: Callable[[str, Pair], Decimal | None],
    ) -> None:
        declared = source.DECLARATION
        self.name = declared.name
        self.fold = declared.fold
        self.settings: SourceConfig = config.sources[declared.config_key]
        self.caller = Caller(source, self.settings, clock, metrics, deadline_s=config.request_timeout_ms / 1000)
        self.guard = JumpGuard(clock, config.jump_guard_bps, config.jump_confirmations)
        self._doubted: set[Pair] = set()
        self._max_age_ms = self.settings.max_age_ms or declared.max_age_ms
        self._config = config
        self._clock = clock
        self._deliver = deliver
        self._reference = reference
        self._failures: TLRUCache[Pair, Failure] = TLRUCache(
            _MOST_FAILURES, lambda _pair, failure, _now: failure.next_at + _FAILURE_MEMORY_S, timer=clock.monotonic
        )
        self._flights = Flights(
            self._fetch,
            lambda room, exclude: fill(self.name, room, exclude),
            clock,
            max_batch=min(self.settings.max_batch, declared.max_batch),
            window_s=WINDOW_S,
        )
        self._errors = metrics.counter("source_errors_total")
        self._refused = metrics.counter("refused_prices_total")
        self.hits = metrics.counter("cache_hits_total").labels(self.name)
        self.misses = metrics.counter("cache_misses_total").labels(self.name)
        self._refreshes = metrics.counter("refetch_operations_total")
        self._refresh_seconds = metrics.histogram("refetch_duration_seconds").labels(self.name)

    def failure(self, pair: Pair) -> MeshError | None:
        """Return the error to answer with if the pair is not to be fetched now."""
        failure = self._failures.get(pair)
        return failure.error if failure is not None and failure.retry_at > self._clock.monotonic() else None

    def failures(self, pair: Pair) -> int:
        """Return how many fetches of a pair have failed since it last had a price."""
        failure = self._failures.get(pair)
        return 0 if failure is None else failure.count

    def join(self, pair: Pair) -> Flight:
        """Return the flight of a pair."""
        return self._flights.join(pair)

    def count_refresh(self, flight: Flight) -> None:
        """Have a refresh counted and its time taken when it lands."""

        def landed(outcome: asyncio.Future[SourceOutcome]) -> None:
            status = "success" if isinstance(outcome.result(), SourceQuote) else "error"
            self._refreshes.labels(self.name, status).inc()
            self._refresh_seconds.observe(self._clock.monotonic() - flight.started_at)

        flight.landed.add_done_callback(landed)

    def offer(self, pair: Pair, tick: TickOutcome) -> SourceOutcome:
        """
        Validate what a stream said about a pair, and deliver it if it is accepted.

        A refused price is as good as a silent stream: REST is asked when the kept price is about to expire.
        """
        received_at = self._clock.monotonic()
        outcome = self._accepted(pair, tick, self._clock.time_ms(), received_at)
        if isinstance(outcome, SourceQuote):
            self._doubted.discard(pair)
            self._deliver(self.name, pair, outcome, self._settle(pair, outcome, received_at))
        elif pair not in self._doubted:
            self._doubted.add(pair)
            log.warning("stream_price_refused", source=self.name, pair=str(pair), error=str(outcome))
        return outcome

    async def close(self) -> None:
        """Cancel all fetches and return when they have ended."""
        await self._flights.close()

    async def _fetch(self, pairs: Sequence[Pair]) -> Mapping[Pair, SourceOutcome]:
        ticks: Mapping[Pair, TickOutcome]
        try:
            ticks = await self.caller.fetch(pairs)
        except MeshError as error:
            ticks = dict.fromkeys(pairs, error)
        # In this order, so that a pause between the two makes a price older than it is, never younger.
        received_at, received_ms = self._clock.monotonic(), self._clock.time_ms()
        outcomes: dict[Pair, SourceOutcome] = {}
        for number, pair in enumerate(pairs, 1):
            outcomes[pair] = self._land(pair, ticks.get(pair), received_ms, received_at)
            if number % LANDED_TOGETHER == 0:
                await asyncio.sleep(0)
        return outcomes

    def _land(self, pair: Pair, tick: TickOutcome | None, received_ms: int, received_at: float) -> SourceOutcome:
        outcome = self._accepted(pair, tick, received_ms, received_at)
        self._deliver(self.name, pair, outcome, self._settle(pair, outcome, received_at))
        return outcome

    def _accepted(self, pair: Pair, tick: TickOutcome | None, received_ms: int, received_at: float) -> SourceOutcome:
        if tick is None:
            return MalformedAnswer(self.name, f"an answer without {pair}")
        try:
            if isinstance(tick, PriceRefused):
                raise tick
            if isinstance(tick, MeshError):
                return tick
            quote = accept(
                self.name,
                pair,
                tick,
                received_ms=received_ms,
                received_at=received_at,
                ttl_ms=self._config.ttl_ms(self.settings.name, pair),
                max_age_ms=self._max_age_ms,
            )
            if not self.guard.passes(pair, quote.price, lambda: self._reference(self.name, pair)):
                why = "it is far from the last price and from the other sources"
                raise PriceRefused(self.name, pair, str(quote.price), why, rule="jump")
        except PriceRefused as refused:
            self._refused.labels(self.name, refused.rule).inc()
            return refused
        return quote

    def _settle(self, pair: Pair, outcome: SourceOutcome, now: float) -> float:
        """Remember a failure or forget the last one, and return when the pair is to be fetched again."""
        if isinstance(outcome, SourceQuote):
            self._failures.pop(pair, None)
            left_s = outcome.expires_at - now
            return outcome.expires_at - lead_s(left_s, self.settings.stale_trigger_ms / 1000, self.caller.slowest_s)
        self._errors.labels(self.name, outcome.reason).inc()
        last = self._failures.get(pair)
        count = 1 if last is None else last.count + 1
        # A failure of the whole source is logged once, not for each of its pairs.
        if self.caller.health.available and (last is None or last.error.reason != outcome.reason):
            log.warning("no_price", source=self.name, pair=str(pair), reason=outcome.reason, error=str(outcome))
        longest_s, open_until = self._config.longest_retry_ms / 1000, self.caller.circuit.opened_until
        retry_at = max(now + retry_delay_s(outcome, count, min(longest_s, LONGEST_RETRY_S)), open_until)
        next_at = max(now + retry_delay_s(outcome, count, longest_s), open_until)
        self._failures[pair] = Failure(outcome, count, retry_at, next_at)
        return next_at
