"""The metrics that are known only by looking: they are set when somebody reads, so that no request pays for them."""

from collections import Counter, defaultdict
from collections.abc import Mapping

import prometheus_client

from meshkit.clock import Clock
from meshkit.metrics import Registry
from services.aggregator.engine import Engine
from services.aggregator.market_data import MarketData
from services.aggregator.prices.quote import SourceQuote
from services.aggregator.source_state import SourceState


class Gauges:
    """Look at the engine before each rendering of its metrics."""

    def __init__(self, engine: Engine, market: MarketData | None, clock: Clock, metrics: Registry) -> None:
        self._engine = engine
        self._market = market
        self._clock = clock
        self._metrics = metrics

    def look(self) -> None:
        """Set all gauges to what is now."""
        self._engine.shelf.count()
        states = [state for state in self._engine.source_states() if state.enabled]
        self._look_at_pairs(states)
        self._look_at_feeds()
        self._look_at_market()
        hits, misses = (_sums(self._metrics.counter(f"cache_{each}_total")) for each in ("hits", "misses"))
        refreshes = _sums(self._metrics.counter("refetch_operations_total"))
        refreshed = _sums(self._metrics.counter("refetch_operations_total"), status="success")
        for name in (state.name for state in states):
            self._set_share("cache_hit_ratio", name, hits[name], hits[name] + misses[name])
            self._set_share("prefetch_success_rate", name, refreshed[name], refreshes[name])

    def _look_at_pairs(self, states: list[SourceState]) -> None:
        ages: dict[str, float] = {}
        stale: Counter[str] = Counter()
        for pair in self._engine.pairs():
            if pair.quote is None:
                stale[pair.source] += 1
            else:
                ages[pair.source] = max(self._age_s(pair.quote), ages.get(pair.source, 0.0))
        age = self._metrics.gauge("quote_age_seconds")
        age.clear()
        for state in states:
            if state.circuit is not None:
                self._metrics.gauge("source_circuit_state").labels(state.name).set(state.circuit)
            self._metrics.gauge("cache_entries_total").labels(state.name).set(state.fresh_pairs)
            self._metrics.gauge("cache_stale_entries").labels(state.name).set(stale[state.name])
            if state.name in ages:
                age.labels(state.name).set(ages[state.name])

    def _look_at_feeds(self) -> None:
        age, sources = self._metrics.gauge("feed_age_seconds"), self._metrics.gauge("feed_sources")
        age.clear()
        for feed, quote in self._engine.feeds().items():
            sources.labels(str(feed)).set(0 if quote is None else len(quote.sources))
            if quote is not None:
                age.labels(str(feed)).set(max(map(self._age_s, quote.sources)))

    def _look_at_market(self) -> None:
        age_ms = None if self._market is None else self._market.age_ms()
        if age_ms is not None:
            self._metrics.gauge("market_data_age_seconds").labels("coingecko").set(age_ms / 1000)

    def _age_s(self, quote: SourceQuote) -> float:
        return max(self._clock.time_ms() - (quote.exchange_time_ms or quote.received_ms), 0) / 1000

    def _set_share(self, name: str, source: str, part: float, whole: float) -> None:
        if whole:
            self._metrics.gauge(name).labels(source).set(part / whole)


def _sums(counter: prometheus_client.Counter, **labels: str) -> Mapping[str, float]:
    """Return a counter's sum for each source, of the series that have these labels."""
    found: defaultdict[str, float] = defaultdict(float)
    for family in counter.collect():
        for sample in family.samples:
            if labels.items() <= sample.labels.items():
                found[sample.labels["source"]] += sample.value
    return found
