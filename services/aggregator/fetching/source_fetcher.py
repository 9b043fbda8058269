"""
Fetch the prices of one source, and tell when each is to be fetched again.

    fetch(pair) ──▶ single flight, batch ──▶ caller ──▶ source ──answer──▶ accept, pair by pair ──▶ every caller
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from meshkit.clock import Clock
from meshkit.errors import MeshError
from meshkit.log import get_logger
from meshkit.metrics import Registry
from services.aggregator.config import AggregatorConfig
from services.aggregator.fetching.failures import RecentFailures
from services.aggregator.fetching.refetch_timing import lead_s
from services.aggregator.fetching.single_flight import PendingFetch, SingleFlight
from services.aggregator.fetching.source_caller import SourceCaller
from services.aggregator.prices.errors import OwnClockOff
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import SourceOutcome, SourceQuote
from services.aggregator.sources.markets import markets_of
from services.aggregator.sources.settings import SourceConfig
from services.aggregator.sources.source import Source, TickOutcome

_log = get_logger(__name__)

WINDOW_S = 0.01
# After a look at a source's markets in vain.
LOOK_AGAIN_S = 5.0
# A batch has hundreds of prices; requests have their turn after so many of them, a millisecond's work or two.
ACCEPTED_TOGETHER = 16


class Accept(Protocol):
    """Take in what a source said about a pair, None if its answer lacks the pair; return what became of it."""

    def __call__(
        self, fetcher: "SourceFetcher", pair: Pair, tick: TickOutcome | None, received_ms: int, received_at: float, /
    ) -> SourceOutcome:
        """Return the accepted price, or the error that there is instead of one."""
        ...


class SourceFetcher:
    """
    Fetch from one source.

    Args:
        failures: Where failed fetches are remembered.
        accept: Take in each outcome before any caller sees it.
        fill: Return up to so many further pairs that a batch should carry as well, without those given.
    """

    def __init__(
        self,
        source: Source,
        config: AggregatorConfig,
        clock: Clock,
        metrics: Registry,
        *,
        failures: RecentFailures,
        accept: Accept,
        fill: Callable[[str, int, Collection[Pair]], Sequence[Pair]],
    ) -> None:
        declared = source.DECLARATION
        self.name = declared.name
        self.fold = declared.fold
        self.settings: SourceConfig = config.sources[declared.config_key]
        self.caller = SourceCaller(source, self.settings, clock, metrics, deadline_s=config.request_timeout_ms / 1000)
        self._longest_retry_s = config.longest_retry_ms / 1000
        self._clock = clock
        self._failures = failures
        self._accept = accept
        self._flight = SingleFlight(
            self._fetch,
            lambda room, exclude: fill(self.name, room, exclude),
            clock,
            max_batch=min(self.settings.max_batch, declared.max_batch),
            window_s=WINDOW_S,
        )
        self._markets = markets_of([source]).get(self.name)
        self._looking: asyncio.Task[None] | None = None
        self._look_at = float("-inf")
        self._errors = metrics.counter("source_errors_total")
        self._refreshes = metrics.counter("refetch_operations_total")
        self._refresh_seconds = metrics.histogram("refetch_duration_seconds").labels(self.name)

    def fetch(self, pair: Pair) -> PendingFetch:
        """Return the fetch of a pair that is under way, a new one if there is none."""
        return self._flight.join(pair)

    def refresh(self, pair: Pair) -> None:
        """Fetch a pair that nobody asked for, and have that counted and its time taken when it ends."""
        pending = self.fetch(pair)

        def ended(outcome: asyncio.Future[SourceOutcome]) -> None:
            status = "success" if isinstance(outcome.result(), SourceQuote) else "error"
            self._refreshes.labels(self.name, status).inc()
            self._refresh_seconds.observe(self._clock.monotonic() - pending.started_at)

        pending.outcome.add_done_callback(ended)

    def look_at_markets(self) -> None:
        """
        Have the statuses of the source's markets looked at, if that is due.

        While a stream brings all prices nothing else is fetched, but a halted market must be known within a minute.
        """
        now = self._clock.monotonic()
        if self._markets is None or now < self._look_at or not self._markets.is_due:
            return
        self._look_at = now + LOOK_AGAIN_S
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())

    async def _look(self) -> None:
        try:
            await self.caller.fetch(())
        except MeshError as error:
            _log.debug("markets_not_looked_at", source=self.name, error=str(error))

    def settle(self, pair: Pair, outcome: SourceOutcome, now: float) -> float:
        """Remember a failure or forget the last one, and return when the pair is to be fetched again."""
        if isinstance(outcome, SourceQuote):
            self._failures.forget(self.name, pair)
            left_s = outcome.expires_at - now
            return outcome.expires_at - lead_s(left_s, self.settings.stale_trigger_ms / 1000, self.caller.slowest_s)
        self._errors.labels(self.name, outcome.reason).inc()
        last = self._failures.last(self.name, pair)
        # A failure of the whole source is logged once, not for each of its pairs.
        # And one of our own clock is not the source's.
        is_its_own = self.caller.health.available and not isinstance(outcome, OwnClockOff)
        if is_its_own and (last is None or last.error.reason != outcome.reason):
            _log.warning("no_price", source=self.name, pair=str(pair), reason=outcome.reason, error=str(outcome))
        open_until = self.caller.circuit.opened_until
        return self._failures.add(
            self.name, pair, outcome, now, longest_s=self._longest_retry_s, not_before=open_until
        ).next_at

    async def close(self) -> None:
        """Cancel all fetches and return when they have ended."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await self._flight.close()

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
            outcomes[pair] = self._accept(self, pair, ticks.get(pair), received_ms, received_at)
            if number % ACCEPTED_TOGETHER == 0:
                await asyncio.sleep(0)
        return outcomes
