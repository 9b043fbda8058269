"""
Call one source: within its limits, again after a fault, not while it wants silence or has failed too often.

    fetch ──circuit, cool-down──▶ queue (place, rate) ──▶ source ──fault──▶ backoff ──▶ once more
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from meshkit.clock import Clock
from meshkit.errors import Internal, MeshError, RateLimited
from meshkit.log import get_logger
from meshkit.metrics import Registry
from services.aggregator.fetching.circuit_breaker import CircuitBreaker, CircuitState
from services.aggregator.fetching.deadline import before
from services.aggregator.fetching.queue import FULL_WAIT_MS, CallQueue
from services.aggregator.fetching.retry import repeated
from services.aggregator.fetching.silence import Silence
from services.aggregator.prices.errors import (
    AccessRefused,
    ProviderFault,
    SourceBusy,
    SourceRateLimited,
    SourceTimeout,
    UnknownPair,
)
from services.aggregator.prices.pair import Pair
from services.aggregator.sources.settings import SourceConfig
from services.aggregator.sources.source import RateLimiter, Source, TickOutcome

_log = get_logger(__name__)

# An open circuit is tried at least twice in a time to live, but a source asked hourly is not left alone for half of it.
LONGEST_OPEN_S = 60.0
SHORTEST_LONGEST_OPEN_S = 5.0
# A call that had its turn so late, behind others or on a machine that is held up, says nothing of the source.
LEAST_TIME_S = 0.25
# How often a refused question is divided: enough to find a few pairs among hundreds.
MOST_DIVISIONS = 16


@dataclass(slots=True)
class SourceHealth:
    """Hold how the source's calls went: `last_error` is empty if the last one succeeded."""

    available: bool = False
    last_success_ms: int | None = None
    last_error: str = ""


class SourceCaller:
    """
    Call one source.

    Args:
        deadline_s: How long a fetch may take with all its waiting and repeating; one call may take its own time-out.
    """

    def __init__(
        self, source: Source, settings: SourceConfig, clock: Clock, metrics: Registry, *, deadline_s: float
    ) -> None:
        declared = source.DECLARATION
        self.name = declared.name
        self.health = SourceHealth()
        self.queue = CallQueue(
            self.name, clock, rate=settings.rps, max_concurrent=min(settings.max_concurrent, declared.max_concurrent)
        )
        self.circuit = CircuitBreaker(min(max(settings.ttl_ms / 2000, SHORTEST_LONGEST_OPEN_S), LONGEST_OPEN_S))
        self.silence = Silence(self.name)
        self.slowest_s = 0.0
        self._told: str | None = None
        self._source = source
        self._settings = settings
        self._clock = clock
        self._deadline_s = max(deadline_s, settings.timeout_ms / 1000)
        self._requests = metrics.counter("source_requests_total")
        self._retries = metrics.counter("source_retries_total").labels(self.name)
        self._seconds = metrics.histogram("source_request_duration_seconds").labels(self.name)
        self._availability = metrics.gauge("source_availability").labels(self.name)

    async def fetch(self, pairs: Sequence[Pair]) -> Mapping[Pair, TickOutcome]:
        """
        Return the source's outcomes, or raise the MeshError that concerns all of the pairs.

        A fault, and a call without an answer, is repeated up to `maxRetries` times after a random, growing pause; a
        limit answer and an answer that cannot be read are not. While the circuit is open, the fault that opened it is
        raised; during a cool-down, and if there is no turn in time, a RateLimited error that says how long to wait.
        """
        deadline = self._clock.monotonic() + self._deadline_s
        repeat = repeated(self._clock, deadline=deadline, may_repeat=self._may_repeat, on_repeat=self._retries.inc)
        return await repeat(self._call, pairs, deadline)

    def _may_repeat(self, calls: int) -> bool:
        is_closed = self.circuit.state(self._clock.monotonic()) is CircuitState.CLOSED
        return calls <= self._settings.max_retries and is_closed

    async def _call(self, pairs: Sequence[Pair], deadline: float) -> Mapping[Pair, TickOutcome]:
        self._check()
        self.circuit.enter()
        try:
            async with self.queue.turn(deadline) as limiter:
                # While this fetch waited for its turn, an earlier one may have been told to be silent.
                self._check_silence()
                return await self._ask(pairs, deadline, limiter)
        finally:
            self.circuit.leave()

    async def _ask(self, pairs: Sequence[Pair], deadline: float, limiter: RateLimiter) -> Mapping[Pair, TickOutcome]:
        started_at = self._clock.monotonic()
        try:
            ticks = await before(deadline, self._clock, self._fetch(pairs, limiter))
        except UnknownPair:
            self.circuit.succeeded()
            self._note(None)
            raise
        except RateLimited as error:
            # An answer of whatever kind shows that the source is there.
            self.circuit.succeeded()
            if isinstance(error, SourceRateLimited):
                self.silence.limited(self._clock.monotonic(), error)
            self._note(error)
            raise
        except AccessRefused as error:
            # It is there as well, and asking again soon is in vain.
            self.circuit.succeeded()
            self.silence.refused(self._clock.monotonic(), error)
            self._note(error)
            raise
        except MeshError as error:
            self.circuit.failed(self._clock.monotonic(), error)
            self._note(error)
            raise
        except TimeoutError:
            if deadline - started_at < LEAST_TIME_S:
                raise SourceBusy(self.name, FULL_WAIT_MS, "its turn came too late") from None
            late = SourceTimeout(self.name, int((deadline - started_at) * 1000))
            self.circuit.failed(self._clock.monotonic(), late)
            self._note(late)
            raise late from None
        finally:
            seconds = self._clock.monotonic() - started_at
            self._seconds.observe(seconds)
            self.slowest_s = max(seconds, 0.9 * self.slowest_s)
        self.circuit.succeeded()
        self.silence.ended()
        self._note(None)
        return ticks

    async def _fetch(self, pairs: Sequence[Pair], limiter: RateLimiter) -> Mapping[Pair, TickOutcome]:
        """Return what the source says; a question that it refuses costs the pair that makes it so, and no other."""
        outcomes: dict[Pair, TickOutcome] = {}
        waiting, divisions = [list(pairs)], 0
        while waiting:
            group = waiting.pop(0)
            try:
                outcomes.update(await self._asked(group, limiter))
            except ProviderFault as error:
                if not error.refuses_question or not group:
                    raise
                middle = len(group) // 2
                if middle and divisions < MOST_DIVISIONS:
                    divisions += 1
                    waiting[:0] = [group[:middle], group[middle:]]
                else:
                    outcomes.update(dict.fromkeys(group, error))
        refused = [each for each in outcomes.values() if isinstance(each, ProviderFault) and each.refuses_question]
        if len(refused) == len(pairs) > 1:
            raise refused[0]
        return outcomes

    async def _asked(self, pairs: Sequence[Pair], limiter: RateLimiter) -> Mapping[Pair, TickOutcome]:
        try:
            return await self._source.fetch(pairs, limiter)
        except MeshError:
            raise
        except Exception as error:
            # A defect of ours in reading one source must not end its refreshes.
            _log.exception("source_crashed", source=self.name)
            raise Internal(f"{self.name} could not be read: {type(error).__name__}") from error

    def _check(self) -> None:
        refusal = self.circuit.refusal(self._clock.monotonic())
        if refusal is not None:
            raise refusal
        self._check_silence()

    def _check_silence(self) -> None:
        if (error := self.silence.error(self._clock.monotonic())) is not None:
            raise error

    def _note(self, error: MeshError | None) -> None:
        self.health.available = error is None
        self.health.last_error = "" if error is None else str(error)
        self._availability.set(int(error is None))
        self._requests.labels(self.name, "success" if error is None else "error").inc()
        if error is None:
            self.health.last_success_ms = self._clock.time_ms()
        reason = "" if error is None else error.reason
        if reason != self._told:
            # One line from the first call on for each way in which it goes, however often it is asked.
            report = _log.info if error is None else _log.warning
            report("source_availability", source=self.name, available=error is None, error=self.health.last_error)
        self._told = reason
