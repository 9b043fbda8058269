"""
The value of all coins together, which CoinGecko publishes and the feed `Total Marketcap / USD` reports.

One task asks every `refreshIntervalMs`; requests are answered with the last figures, and with an error once these are
older than `LONGEST_AGE_MS`: an error costs a feed one observation, an old figure its truth. The value moves at most as
fast as the price of a feed with a single source.
"""

import random
from collections.abc import Collection
from decimal import Decimal

import aiohttp

from meshkit import feeds
from meshkit.clock import Clock
from meshkit.errors import MeshError, NotFound, Unavailable
from meshkit.log import get_logger
from meshkit.metrics import Registry
from meshkit.process.background_tasks import BackgroundTasks
from services.aggregator.config import MarketDataConfig
from services.aggregator.fetching.source_jump_guard import SourceGuard, Standing
from services.aggregator.own_clock import OwnClock
from services.aggregator.prices.errors import PriceRefused, UnknownPair
from services.aggregator.prices.feed_price import quote_of
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Quote, SourceQuote
from services.aggregator.sources.client import SourceClient
from services.aggregator.sources.coingecko import CoinGeckoSource
from services.aggregator.sources.coingecko_global import CoinGeckoGlobal, GlobalFigures

_log = get_logger(__name__)

# CoinGecko computes the figures every ten minutes.
LONGEST_AGE_MS = 30 * 60_000
SOURCE = CoinGeckoSource.DECLARATION.name
FEED, PAIR = next(
    (name, Pair(feed.base, feed.quote)) for name, feed in feeds.load().items() if feed.kind == "market_cap"
)
_INTERVAL_PARTS = 10  # a failed call is repeated after this part of the interval


class NoMarketData(NotFound):
    """The figures are switched off, or no call has succeeded yet."""

    reason = "NO_MARKET_DATA"

    def __init__(self, why: str) -> None:
        super().__init__("market data", "global")
        self.why = why

    def __str__(self) -> str:
        return f"no market data: {self.why}"


class MarketDataTooOld(Unavailable):
    """The last figures are older than may be served."""

    reason = "MARKET_DATA_TOO_OLD"

    def __init__(self, age_ms: int) -> None:
        super().__init__(f"the market data are {age_ms} ms old, allowed are {LONGEST_AGE_MS} ms")
        self.age_ms = age_ms


class MarketData:
    """Keep the figures of the whole market; `start` and `close` the task that asks for them."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        config: MarketDataConfig,
        clock: Clock,
        metrics: Registry,
        own_clock: OwnClock | None = None,
    ) -> None:
        self._config = config
        self._clock = clock
        self._guard = SourceGuard(clock, lambda _source, _pair: config.limits)
        self._own_clock = own_clock or OwnClock(clock, metrics)
        self._refused = metrics.counter("refused_prices_total")
        client = SourceClient(
            session,
            CoinGeckoSource.DECLARATION,
            clock,
            base_url=config.base_url,
            timeout_ms=config.timeout_ms,
            api_key=config.api_key,
            proxy=config.proxy,
            own_clock=self._own_clock,
        )
        self._source = CoinGeckoGlobal(client, clock)
        self._reference: Decimal | None = None
        self._figures: GlobalFigures | None = None
        self._received_ms = 0
        self._tasks = BackgroundTasks(clock, metrics)

    @property
    def is_enabled(self) -> bool:
        """Tell whether the figures are asked for."""
        return self._config.enabled

    @property
    def is_available(self) -> bool:
        """Tell whether there are figures that may be served."""
        return self.age_ms is not None and self.age_ms <= LONGEST_AGE_MS

    @property
    def updated_ms(self) -> int | None:
        """Return CoinGecko's time of the last figures, Unix milliseconds, however old; None if there are none."""
        return None if self._figures is None else self._figures.updated_at * 1000

    @property
    def age_ms(self) -> int | None:
        """Return how old the figures are by CoinGecko's time; None if there are none."""
        return None if self._figures is None else self._age_ms(self._figures)

    def refer(self, value: Decimal) -> None:
        """Take a value that the feed is known to have had, such as the last answer on chain, as the first one's own."""
        self._reference = value

    def start(self) -> None:
        """Begin to ask."""
        if self._config.enabled:
            self._tasks.start("market data", self._run)

    async def close(self) -> None:
        """End the task."""
        await self._tasks.close()

    async def refresh(self) -> None:
        """
        Ask once. Figures that are not accepted leave the old ones in place.

        Raises what the client raises, MalformedAnswer for figures that cannot be, and PriceRefused for doubtful ones.
        """
        figures = await self._source.fetch()
        self._own_clock.require_right()
        if self._figures is not None and figures.updated_at < self._figures.updated_at:
            return
        value = figures.total_market_cap["usd"]
        received_ms = self._clock.time_ms()
        quote = SourceQuote(SOURCE, PAIR, value, received_ms, self._clock.monotonic(), figures.updated_at * 1000)
        try:
            self._guard.check(quote, is_alone=True, standing=lambda: Standing(last=self._reference))
        except PriceRefused as refused:
            self._refused.labels(SOURCE, refused.rule).inc()
            raise
        self._figures, self._received_ms = figures, received_ms

    def figures(self) -> GlobalFigures:
        """Return the last figures, if they may be served. Raises NoMarketData, MarketDataTooOld and OwnClockOff."""
        self._own_clock.require_right()
        if not self._config.enabled:
            raise NoMarketData("marketData.coingeckoGlobal is switched off, or no source coingecko is configured")
        if (found := self._figures) is None:
            raise NoMarketData("no call has succeeded yet")
        if (age_ms := self._age_ms(found)) > LONGEST_AGE_MS:
            raise MarketDataTooOld(age_ms)
        return found

    def quote(self, sources: Collection[str] | None = None) -> Quote:
        """
        Return the value in dollars as the price of its feed, for bridges.

        Raises NoMarketData, MarketDataTooOld, and UnknownPair if CoinGecko is not among the sources asked for.
        """
        if sources is not None and SOURCE not in sources:
            raise UnknownPair(PAIR, ", ".join(sorted(sources)))
        found = self.figures()
        expires_at = self._clock.monotonic() + (LONGEST_AGE_MS - self._age_ms(found)) / 1000
        value = found.total_market_cap["usd"]
        return quote_of(
            PAIR, [SourceQuote(SOURCE, PAIR, value, self._received_ms, expires_at, found.updated_at * 1000)], 1
        )

    def _age_ms(self, figures: GlobalFigures) -> int:
        return max(self._clock.time_ms() - figures.updated_at * 1000, 0)

    async def _run(self) -> None:
        failed = False
        while True:
            wait_s = self._config.interval_ms / 1000
            try:
                await self.refresh()
                failed = False
            except MeshError as error:
                if not failed:  # one line an outage
                    _log.warning("market_data_failed", error=str(error))
                failed = True
                wait_s = max(wait_s / _INTERVAL_PARTS, getattr(error, "retry_after_ms", 0) / 1000)
            await self._clock.sleep(wait_s * random.uniform(1, 1.1))  # noqa: S311
