"""A price cache on a clock that a test moves, and prices that come when a test says so."""

from dataclasses import replace

from meshkit.clock import ManualClock
from services.aggregator.cache.price_cache import PriceCache
from services.aggregator.config import AggregatorConfig
from services.aggregator.metrics import open_registry
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Quote, SourceOutcome, Tick
from services.aggregator.sources.source import TickOutcome
from tests.aggregator.fakes import BTC, ScriptedSource, settings

START_MS = 1_800_000_000_000


class MadeCache:
    """A price cache of scripted sources, none of which is asked unless a test begins a fetch."""

    def __init__(
        self, config: AggregatorConfig | None = None, clock: ManualClock | None = None, **declared: object
    ) -> None:
        self.config = config or settings()
        self.clock = clock or ManualClock(START_MS)
        self.metrics = open_registry()
        self.sources = {name: ScriptedSource(name) for name in self.config.sources}
        for source in self.sources.values():
            source.DECLARATION = replace(source.DECLARATION, **declared)  # type: ignore[arg-type]
        self.cache = PriceCache(self.config, self.sources.values(), self.clock, self.metrics)

    def pin(self, *pairs: Pair) -> None:
        """Register pairs of all sources for ever, without fetching them."""
        for source in self.sources:
            for pair in pairs:
                self.cache.registry.pin(source, pair)

    def fetched(self, source: str, said: object, pair: Pair = BTC, age_ms: int | None = None) -> SourceOutcome:
        """Have an answer bring a price, of so long ago by the exchange's clock if that is given, or an error."""
        return self.cache.ingest.fetched(
            self.cache.fetchers[source], pair, self._tick(said, age_ms), self.clock.time_ms(), self.clock.monotonic()
        )

    def streamed(self, source: str, price: object, pair: Pair = BTC, age_ms: int | None = None) -> None:
        """Have a stream bring a price, of so long ago by the exchange's clock if that is given."""
        tick = self._tick(price, age_ms)
        assert isinstance(tick, Tick)
        self.cache.ingest.streamed(self.cache.fetchers[source], pair, tick)

    def cached(self, source: str, pair: Pair = BTC) -> str | None:
        """Return the price of a source that is served."""
        quote = self.cache.quotes.get(source, pair)
        return None if quote is None else str(quote.price)

    def current(self, feed: Pair = BTC) -> str | None:
        """Return the current price of a feed, the reason why it has none, or None before the first."""
        result = self.cache.current.get(feed)
        if isinstance(result, Quote):
            return str(result.price)
        return None if result is None else result.reason

    def refused(self, source: str, rule: str) -> bool:
        """Tell whether a price of a source was refused by a rule."""
        return f'refused_prices_total{{reason="{rule}",source="{source}"}}' in self.metrics.render().decode()

    def _tick(self, said: object, age_ms: int | None) -> TickOutcome:
        if isinstance(said, Exception):
            return said  # type: ignore[return-value]
        return Tick(said, None if age_ms is None else self.clock.time_ms() - age_ms)
