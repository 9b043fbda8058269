"""One source as the engine sees it: joined fetches, validated outcomes, remembered failures, its state."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from cachetools import TLRUCache

from meshkit.clock import Clock
from meshkit.errors import MeshError
from meshkit.log import get_logger
from meshkit.metrics import Registry
from services.aggregator.config import AggregatorConfig, SourceConfig
from services.aggregator.errors import MalformedAnswer, PriceRefused, SourceRateLimited, UnknownPair
from services.aggregator.flight import Flight, Flights
from services.aggregator.pair import Pair
from services.aggregator.quote import SourceOutcome, SourceQuote
from services.aggregator.sources.source import Source, TickOutcome
from services.aggregator.validate import accept

log = get_logger(__name__)

WINDOW_S = 0.01
# An unknown pair may be listed some day; a fault may be over in a moment.
UNKNOWN_RETRY_S = 60.0
FIRST_RETRY_S = 0.25
LONGEST_RETRY_S = 5.0
_MOST_FAILURES = 10_000
_FAILURE_MEMORY_S = 3_600.0


@dataclass(frozen=True, slots=True)
class Failure:
    """Hold why a pair has no price, how many times in a row, and from when on it may be asked for again."""

    error: MeshError
    count: int
    retry_at: float


@dataclass(slots=True)
class Health:
    """Hold how the source's fetches went: `last_error` is empty if the last one succeeded."""

    available: bool = False
    last_success_ms: int | None = None
    last_error: str = ""


def retry_delay_s(error: MeshError, count: int) -> float:
    """Return how long to leave a pair alone after `count` failures in a row: doubling to 5 s, or as the error says."""
    if isinstance(error, SourceRateLimited):
        return error.retry_after_ms / 1000
    if isinstance(error, UnknownPair):
        return UNKNOWN_RETRY_S
    return min(FIRST_RETRY_S * 2.0 ** min(count - 1, 16), LONGEST_RETRY_S)


class Fetcher:
    """
    Fetch from one source.

    After a limit answer the source is silent for as long as it asked. After any other failure the pair is left alone
    for a while, in which its error is the answer.

    Args:
        fill: Return up to so many further pairs that a batch should carry as well.
        deliver: Called with each outcome before any caller sees it, and with the monotonic moment of the next try.
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
    ) -> None:
        self.name = source.DECLARATION.name
        self.folds_case = source.DECLARATION.folds_case
        self.health = Health()
        self.settings: SourceConfig = config.sources[source.DECLARATION.config_key]
        self._source = source
        self._config = config
        self._clock = clock
        self._deliver = deliver
        self._silent_until = float("-inf")
        self._failures: TLRUCache[Pair, Failure] = TLRUCache(
            _MOST_FAILURES, lambda _pair, _failure, now: now + _FAILURE_MEMORY_S, timer=clock.monotonic
        )
        self._flights = Flights(
            self._fetch,
            lambda room, exclude: fill(self.name, room, exclude),
            clock,
            max_batch=min(self.settings.max_batch, source.DECLARATION.max_batch),
            max_concurrent=min(self.settings.max_concurrent, source.DECLARATION.max_concurrent),
            window_s=WINDOW_S,
        )
        self._requests = metrics.counter("source_requests_total")
        self._errors = metrics.counter("source_errors_total")
        self._seconds = metrics.histogram("source_request_duration_seconds").labels(self.name)
        self._availability = metrics.gauge("source_availability").labels(self.name)
        self.hits = metrics.counter("cache_hits_total").labels(self.name)
        self.misses = metrics.counter("cache_misses_total").labels(self.name)
        self.refreshes = metrics.counter("refetch_operations_total").labels(self.name)

    def failure(self, pair: Pair) -> MeshError | None:
        """Return the error to answer with if the pair is not to be fetched now."""
        failure = self._failures.get(pair)
        return failure.error if failure is not None and failure.retry_at > self._clock.monotonic() else None

    def join(self, pair: Pair) -> Flight:
        """Return the flight of a pair."""
        return self._flights.join(pair)

    async def close(self) -> None:
        """Cancel all fetches and return when they have ended."""
        await self._flights.close()

    async def _fetch(self, pairs: Sequence[Pair]) -> Mapping[Pair, SourceOutcome]:
        started_at = self._clock.monotonic()
        ticks: Mapping[Pair, TickOutcome | None]
        if self._silent_until > started_at:
            wait_ms = int((self._silent_until - started_at) * 1000) + 1
            ticks = dict.fromkeys(pairs, SourceRateLimited(self.name, wait_ms))
        else:
            ticks = await self._ask(pairs)
            self._seconds.observe(self._clock.monotonic() - started_at)
        received_ms, received_at = self._clock.time_ms(), self._clock.monotonic()
        outcomes: dict[Pair, SourceOutcome] = {}
        for pair in pairs:
            outcome = self._accepted(pair, ticks.get(pair), received_ms, received_at)
            outcomes[pair] = outcome
            self._deliver(self.name, pair, outcome, self._settle(pair, outcome, received_at))
        return outcomes

    async def _ask(self, pairs: Sequence[Pair]) -> Mapping[Pair, TickOutcome | None]:
        try:
            ticks = await self._source.fetch(pairs)
        except MeshError as error:
            self._note(error)
            if isinstance(error, SourceRateLimited):
                self._silent_until = self._clock.monotonic() + error.retry_after_ms / 1000
            return dict.fromkeys(pairs, error)
        self._note(None)
        return dict(ticks)

    def _note(self, error: MeshError | None) -> None:
        was_available = self.health.available
        self.health.available = error is None
        self.health.last_error = "" if error is None else str(error)
        self._availability.set(int(error is None))
        self._requests.labels(self.name, "success" if error is None else "error").inc()
        if error is None:
            self.health.last_success_ms = self._clock.time_ms()
        if was_available != (error is None):
            log.info("source_availability", source=self.name, available=error is None, error=self.health.last_error)

    def _accepted(self, pair: Pair, tick: TickOutcome | None, received_ms: int, received_at: float) -> SourceOutcome:
        if tick is None:
            return MalformedAnswer(self.name, f"an answer without {pair}")
        if isinstance(tick, MeshError):
            return tick
        expires_at = received_at + self._config.ttl_ms(self.settings.name, pair) / 1000
        try:
            return accept(self.name, pair, tick, received_ms=received_ms, expires_at=expires_at)
        except PriceRefused as refused:
            return refused

    def _settle(self, pair: Pair, outcome: SourceOutcome, now: float) -> float:
        """Remember a failure or forget the last one, and return when the pair is to be fetched again."""
        if isinstance(outcome, SourceQuote):
            self._failures.pop(pair, None)
            ttl_s = outcome.expires_at - now
            return outcome.expires_at - min(self.settings.stale_trigger_ms / 1000, ttl_s / 2)
        self._errors.labels(self.name, outcome.reason).inc()
        last = self._failures.get(pair)
        count = 1 if last is None else last.count + 1
        # A failure of the whole source is logged once, not for each of its pairs.
        if self.health.available and (last is None or last.error.reason != outcome.reason):
            log.warning("no_price", source=self.name, pair=str(pair), reason=outcome.reason, error=str(outcome))
        retry_at = now + retry_delay_s(outcome, count)
        self._failures[pair] = Failure(outcome, count, retry_at)
        return retry_at
