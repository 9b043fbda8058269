"""The metrics that are known only by looking: they are set when somebody reads, so that no request pays for them."""

from collections import Counter, defaultdict
from collections.abc import Mapping

import prometheus_client

from meshkit.clock import Clock
from meshkit.metrics import Registry, Sample
from services.aggregator.engine.market_data import SOURCE as MARKET_SOURCE
from services.aggregator.engine.market_data import MarketData
from services.aggregator.engine.status import EngineStatus, SourceStatus
from services.aggregator.prices.quote import SourceQuote


class StatusMetrics:
    """Look at the engine, and at the market data if there are any, before each rendering of the metrics."""

    def __init__(self, status: EngineStatus, market: MarketData | None, clock: Clock, metrics: Registry) -> None:
        self._status = status
        self._market = market
        self._clock = clock
        self._metrics = metrics
        metrics.derive("cache_hits_total", lambda: _samples(status.hits()))
        metrics.derive("cache_misses_total", lambda: _samples(status.misses()))
        metrics.before_render(self._look)

    def _look(self) -> None:
        sources = [status for status in self._status.sources() if status.enabled]
        self._look_at_pairs(sources)
        self._look_at_feeds()
        self._look_at_market()
        hits, misses = self._status.hits(), self._status.misses()
        refreshes = _sums(self._metrics.counter("refetch_operations_total"))
        refreshed = _sums(self._metrics.counter("refetch_operations_total"), status="success")
        for name in (status.name for status in sources):
            self._set_share("cache_hit_ratio", name, hits[name], hits[name] + misses[name])
            self._set_share("prefetch_success_rate", name, refreshed[name], refreshes[name])

    def _look_at_pairs(self, sources: list[SourceStatus]) -> None:
        ages: dict[str, float] = {}
        stale: Counter[str] = Counter()
        for pair in self._status.pairs():
            if pair.quote is None:
                stale[pair.source] += 1
            else:
                ages[pair.source] = max(self._age_s(pair.quote), ages.get(pair.source, 0.0))
        age = self._metrics.gauge("quote_age_seconds")
        age.clear()
        for status in sources:
            if status.circuit is not None:
                self._metrics.gauge("source_circuit_state").labels(status.name).set(status.circuit)
            self._metrics.gauge("cache_entries_total").labels(status.name).set(status.fresh_pairs)
            self._metrics.gauge("cache_stale_entries").labels(status.name).set(stale[status.name])
            if status.name in ages:
                age.labels(status.name).set(ages[status.name])

    def _look_at_feeds(self) -> None:
        age, sources = self._metrics.gauge("feed_age_seconds"), self._metrics.gauge("feed_sources")
        age.clear()
        for feed, quote in self._status.feeds().items():
            sources.labels(str(feed)).set(0 if quote is None else len(quote.sources))
            if quote is not None:
                age.labels(str(feed)).set(max(map(self._age_s, quote.sources)))
        score = self._metrics.gauge("source_score")
        score.clear()
        for source, share in self._status.scores().items():
            score.labels(source).set(float(share))

    def _look_at_market(self) -> None:
        age_ms = None if self._market is None else self._market.age_ms
        if age_ms is not None:
            self._metrics.gauge("market_data_age_seconds").labels(MARKET_SOURCE).set(age_ms / 1000)

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


def _samples(counts: Mapping[str, int]) -> list[Sample]:
    return [((source,), count) for source, count in counts.items()]
