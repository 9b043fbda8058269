"""Which of a source's prices are accepted: plausible ones of a fresh time that are no jump which nobody confirms."""

from collections.abc import Callable

from meshkit.clock import Clock
from meshkit.errors import MeshError
from meshkit.metrics import Registry
from services.aggregator.config import AggregatorConfig
from services.aggregator.expiring_map import ExpiringMap
from services.aggregator.fetching.source_jump_guard import SourceGuard, Standing
from services.aggregator.own_clock import OwnClock
from services.aggregator.prices.errors import MalformedAnswer, PriceRefused
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import SourceOutcome, SourceQuote
from services.aggregator.prices.validate import accept
from services.aggregator.sources.source import Declaration, ExchangeTime, TickOutcome

_MOST_PAIRS = 10_000


class Acceptance:
    """
    Judge the prices of one source.

    Args:
        guard: What remembers the prices that were accepted last, of all sources.
        own_clock: What compares our clock with the times that all sources tell.
    """

    def __init__(
        self,
        declared: Declaration,
        config: AggregatorConfig,
        guard: SourceGuard,
        clock: Clock,
        metrics: Registry,
        own_clock: OwnClock | None = None,
    ) -> None:
        self._source = declared.name
        self._settings = config.sources[declared.config_key]
        self._declared = declared
        self._config = config
        self._guard = guard
        self._own_clock = own_clock or OwnClock(clock, metrics)
        self._refused = metrics.counter("refused_prices_total")
        # An older time than that of a price served before is no news, for as long as the time would be accepted.
        self._served: ExpiringMap[Pair, SourceQuote] = ExpiringMap(clock, _MOST_PAIRS)
        self._max_ages_ms: dict[Pair, int] = {}
        self._clock = clock

    def outcome(
        self,
        pair: Pair,
        tick: TickOutcome | None,
        *,
        received_ms: int,
        received_at: float,
        is_alone: bool,
        standing: Callable[[SourceQuote], Standing],
    ) -> SourceOutcome:
        """
        Return the quote of what the source said about a pair, or the error that it said, or PriceRefused.

        While our own clock is off it is OwnClockOff, and no source is blamed.

        Args:
            pair: The pair as the source was asked for it.
            tick: What it said; None if its answer lacks the pair.
            received_ms: When it said so, Unix milliseconds.
            received_at: The same moment on the monotonic clock.
            is_alone: Whether no other source is configured for what the pair prices.
            standing: Return what is known of a price beside its source's own last one.
        """
        if tick is None:
            return MalformedAnswer(self._source, f"an answer without {pair}")
        try:
            if isinstance(tick, PriceRefused):
                raise tick
            if isinstance(tick, MeshError):
                return tick
            self._note_time(pair, tick.exchange_time_ms, received_ms, received_at)
            if self._own_clock.state.is_off:
                return self._own_clock.error()
            quote = accept(
                self._source,
                pair,
                tick,
                received_ms=received_ms,
                received_at=received_at,
                ttl_ms=self._config.ttl_ms(self._settings.name, pair),
                max_age_ms=self._max_age_ms(pair),
                after_ms=self._served_ms(pair, received_at),
            )
            self._guard.check(quote, is_alone=is_alone, standing=lambda: standing(quote))
        except PriceRefused as refused:
            self._refused.labels(self._source, refused.rule).inc()
            return refused
        self._note_served(quote)
        return quote

    def _note_time(self, pair: Pair, time_ms: object, received_ms: int, received_at: float) -> None:
        # Streams tell times too of sources whose answers tell none.
        is_of_now = self._declared.exchange_time is not ExchangeTime.DAY
        if is_of_now and isinstance(time_ms, int) and not isinstance(time_ms, bool):
            self._own_clock.note_price(self._source, pair, time_ms, received_at, received_ms)

    def _max_age_ms(self, pair: Pair) -> int:
        """Return how old a price of a pair may be; it never changes."""
        found = self._max_ages_ms.get(pair)
        if found is None:
            if len(self._max_ages_ms) >= _MOST_PAIRS:
                self._max_ages_ms.clear()
            found = self._max_ages_ms[pair] = self._settings.max_age_ms or self._declared.max_age_of(pair)
        return found

    def _served_ms(self, pair: Pair, now: float) -> int | None:
        """Return when the last price was observed; None while it is fresh, as then the cache keeps the later one."""
        last = self._served.get(pair)
        return None if last is None or last.expires_at > now else last.observed_ms

    def _note_served(self, quote: SourceQuote) -> None:
        last = self._served.get(quote.pair)
        if quote.exchange_time_ms is not None and (last is None or quote.observed_ms >= last.observed_ms):
            until = self._clock.monotonic() + self._max_age_ms(quote.pair) / 1000
            self._served.put(quote.pair, quote, until)
