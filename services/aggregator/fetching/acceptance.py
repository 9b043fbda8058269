"""Which of a source's prices are believed: plausible ones of a fresh time that are no jump which nothing confirms."""

from collections.abc import Callable
from decimal import Decimal

from meshkit.clock import Clock
from meshkit.errors import MeshError
from meshkit.metrics import Registry
from services.aggregator.config import AggregatorConfig
from services.aggregator.prices.errors import MalformedAnswer, PriceRefused
from services.aggregator.prices.jump_guard import JumpGuard
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import SourceOutcome, SourceQuote
from services.aggregator.prices.validate import accept
from services.aggregator.sources.source import Declaration, TickOutcome


class Acceptance:
    """Judge the prices of one source, and remember what was believed last."""

    def __init__(self, declared: Declaration, config: AggregatorConfig, clock: Clock, metrics: Registry) -> None:
        self._source = declared.name
        self._settings = config.sources[declared.config_key]
        self._max_age_ms = self._settings.max_age_ms or declared.max_age_ms
        self._config = config
        self._jump_guard = JumpGuard(clock, config.jump_guard_bps, config.jump_confirmations)
        self._refused = metrics.counter("refused_prices_total")

    def outcome(
        self,
        pair: Pair,
        tick: TickOutcome | None,
        *,
        received_ms: int,
        received_at: float,
        others: Callable[[], Decimal | None],
    ) -> SourceOutcome:
        """
        Return the quote of what the source said about a pair, or the error that it said, or PriceRefused.

        Args:
            pair: The pair as the source was asked for it.
            tick: What it said; None if its answer lacks the pair.
            received_ms: When it said so, Unix milliseconds.
            received_at: The same moment on the monotonic clock.
            others: Return the median of the other sources' fresh prices, if there are any.
        """
        if tick is None:
            return MalformedAnswer(self._source, f"an answer without {pair}")
        try:
            if isinstance(tick, PriceRefused):
                raise tick
            if isinstance(tick, MeshError):
                return tick
            quote = accept(
                self._source,
                pair,
                tick,
                received_ms=received_ms,
                received_at=received_at,
                ttl_ms=self._config.ttl_ms(self._settings.name, pair),
                max_age_ms=self._max_age_ms,
            )
            self._check_jump(quote, others)
        except PriceRefused as refused:
            self._refused.labels(self._source, refused.rule).inc()
            return refused
        return quote

    def forget(self, pair: Pair) -> None:
        """Forget the last price of a pair that nobody asks for."""
        self._jump_guard.forget(pair)

    def _check_jump(self, quote: SourceQuote, others: Callable[[], Decimal | None]) -> None:
        if not self._jump_guard.passes(quote.pair, quote.price, others):
            why = "it is far from the last price and from the other sources"
            raise PriceRefused(self._source, quote.pair, str(quote.price), why, rule="jump")
