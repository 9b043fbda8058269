"""
The value of all coins together, which CoinGecko publishes and the feed `Total Marketcap / USD` reports.

One task asks every `refreshIntervalMs`; requests are answered with the last figures, and with an error once these are
older than `LONGEST_AGE_MS`: an error costs a feed one observation, an old figure its truth. A value far from the one
before is doubted until further answers confirm it, as a price is.
"""

import asyncio
import random
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

import aiohttp
import orjson
from aiohttp import web
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from meshkit import feeds
from meshkit.clock import Clock
from meshkit.configuration.solution import Configuration
from meshkit.errors import MeshError, NotFound, Unavailable
from meshkit.log import get_logger
from meshkit.metrics import Registry
from services.aggregator.prices.errors import PriceRefused, UnknownPair
from services.aggregator.prices.jump_guard import JumpGuard
from services.aggregator.prices.median import quote_of
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.price import plain_text
from services.aggregator.prices.quote import Quote, SourceQuote
from services.aggregator.sources.client import SourceClient
from services.aggregator.sources.coingecko import CoinGeckoSource
from services.aggregator.sources.source import UNLIMITED
from services.aggregator.web.quote_json import Json, time_text

log = get_logger(__name__)

# CoinGecko computes the figures every ten minutes.
LONGEST_AGE_MS = 30 * 60_000
# Clocks differ; a time further ahead than this is no time.
_AHEAD_MS = 5 * 60_000
_PATH = "/api/v3/global"
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


@dataclass(frozen=True, slots=True)
class MarketDataConfig:
    """Say whether, where, and how often in milliseconds the figures are asked for."""

    enabled: bool = True
    interval_ms: int = 60_000
    base_url: str | None = None
    timeout_ms: int = 10_000
    api_key: str | None = None
    proxy: str | None = None
    jump_guard_bps: int | None = 1_000
    jump_confirmations: int = 3


def read(configuration: Configuration) -> MarketDataConfig:
    """
    Return the view of a configuration: the address, the key and the timeout are those of the source CoinGecko.

    A configuration that does not name CoinGecko among its sources, even as switched off, never has it asked.
    """
    given = configuration.solution.price_aggregator_config
    settings = given.market_data.coingecko_global
    source = given.sources.get("coingecko")
    key = None if source is None or source.api_key is None else source.api_key.get_secret_value()
    return MarketDataConfig(
        enabled=settings.enabled and source is not None,
        interval_ms=settings.refresh_interval_ms,
        base_url=None if source is None else source.base_url,
        timeout_ms=10_000 if source is None else source.timeout_ms,
        api_key=key or None,
        proxy=given.proxy if settings.use_proxy else None,
        jump_guard_bps=configuration.solution.mesh.aggregator.jump_guard_bps,
        jump_confirmations=configuration.solution.mesh.aggregator.jump_confirmations,
    )


def _finite(number: Decimal) -> Decimal:
    if not number.is_finite() or abs(number.adjusted()) > 40:
        raise ValueError("not a plausible number")
    return number


Figure = Annotated[Decimal, AfterValidator(_finite)]
Money = Annotated[Figure, Field(ge=0)]


class Figures(BaseModel):
    """What CoinGecko answers, as far as it is passed on."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    total_market_cap: dict[str, Money]
    total_volume: dict[str, Money]
    market_cap_percentage: dict[str, Money]
    market_cap_change_percentage_24h_usd: Figure
    active_cryptocurrencies: Annotated[int, Field(ge=0)]
    markets: Annotated[int, Field(ge=0)]
    updated_at: Annotated[int, Field(gt=0)]


class MarketData:
    """Keep the figures of the whole market; `start` and `close` the task that asks for them."""

    def __init__(
        self, session: aiohttp.ClientSession, config: MarketDataConfig, clock: Clock, metrics: Registry
    ) -> None:
        self._config = config
        self._clock = clock
        self._guard = JumpGuard(clock, config.jump_guard_bps, config.jump_confirmations)
        self._refused = metrics.counter("refused_prices_total")
        self._client = SourceClient(
            session,
            CoinGeckoSource.DECLARATION,
            clock,
            base_url=config.base_url,
            timeout_ms=config.timeout_ms,
            api_key=config.api_key,
            proxy=config.proxy,
        )
        self._figures: Figures | None = None
        self._received_ms = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to ask."""
        if self._config.enabled:
            self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """End the task."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def refresh(self) -> None:
        """
        Ask once. Figures that are not accepted leave the old ones in place.

        Raises what the client raises, MalformedAnswer for figures that cannot be, and PriceRefused for doubtful ones.
        """
        answer = await self._client.get(_PATH, limiter=UNLIMITED)
        if answer.status != 200:
            raise self._client.fault(f"HTTP {answer.status}")
        try:
            figures = Figures.model_validate(answer.fields.get("data"))
        except ValidationError as error:
            first: Any = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise self._client.malformed(f"global data: {where}: {first['msg']}") from None
        value = figures.total_market_cap.get("usd")
        if not value:
            raise self._client.malformed("global data without a market capitalisation in usd")
        if figures.updated_at * 1000 > self._clock.time_ms() + _AHEAD_MS:
            raise self._client.malformed(f"global data of the future: updated_at is {figures.updated_at}")
        if self._figures is not None and figures.updated_at < self._figures.updated_at:
            return
        if not self._guard.passes(PAIR, value, lambda: None):
            self._refused.labels(SOURCE, "jump").inc()
            raise PriceRefused(SOURCE, PAIR, plain_text(value), "it is far from the last value", rule="jump")
        self._figures, self._received_ms = figures, self._clock.time_ms()

    def figures(self) -> Json:
        """Return the figures as existing jobs read them. Raises NoMarketData and MarketDataTooOld."""
        found, _ = self._present()
        return {
            "totalMarketCap": _numbers(found.total_market_cap),
            "totalVolume": _numbers(found.total_volume),
            "marketCapPercentage": _numbers(found.market_cap_percentage),
            "marketCapChangePercentage24h": _number(found.market_cap_change_percentage_24h_usd),
            "activeCryptocurrencies": found.active_cryptocurrencies,
            "markets": found.markets,
            "updatedAt": time_text(found.updated_at * 1000),
        }

    def quote(self, sources: Collection[str] | None = None) -> Quote:
        """
        Return the value in dollars as the price of its feed, for bridges.

        Raises NoMarketData, MarketDataTooOld, and UnknownPair if CoinGecko is not among the sources asked for.
        """
        if sources is not None and SOURCE not in sources:
            raise UnknownPair(PAIR, ", ".join(sorted(sources)))
        found, age_ms = self._present()
        expires_at = self._clock.monotonic() + (LONGEST_AGE_MS - age_ms) / 1000
        value = found.total_market_cap["usd"]
        return quote_of(
            PAIR, [SourceQuote(SOURCE, PAIR, value, self._received_ms, expires_at, found.updated_at * 1000)], 1
        )

    def _present(self) -> tuple[Figures, int]:
        if not self._config.enabled:
            raise NoMarketData("marketData.coingeckoGlobal is switched off, or no source coingecko is configured")
        if (found := self._figures) is None:
            raise NoMarketData("no call has succeeded yet")
        if (age_ms := self._age_ms(found)) > LONGEST_AGE_MS:
            raise MarketDataTooOld(age_ms)
        return found, age_ms

    def status(self) -> Json:
        """Return whether there are figures that may be served, their age, and their time."""
        found, age_ms = self._figures, self.age_ms()
        return {
            "enabled": self._config.enabled,
            "available": age_ms is not None and age_ms <= LONGEST_AGE_MS,
            "dataAgeMs": age_ms,
            "lastUpdateAt": None if found is None else time_text(found.updated_at * 1000),
        }

    def age_ms(self) -> int | None:
        """Return how old the figures are by CoinGecko's time; None if there are none."""
        return None if self._figures is None else self._age_ms(self._figures)

    def _age_ms(self, figures: Figures) -> int:
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
                    log.warning("market_data_failed", error=str(error))
                failed = True
                wait_s = max(wait_s / _INTERVAL_PARTS, getattr(error, "retry_after_ms", 0) / 1000)
            await self._clock.sleep(wait_s * random.uniform(1, 1.1))  # noqa: S311


def _number(number: Decimal) -> orjson.Fragment:
    """Return a JSON number with all its digits."""
    return orjson.Fragment(plain_text(number))


def _numbers(numbers: Mapping[str, Decimal]) -> dict[str, orjson.Fragment]:
    return {name: _number(number) for name, number in numbers.items()}


def routes(market: MarketData) -> list[web.RouteDef]:
    """Return the routes of the figures and of their status."""

    async def show(_request: web.Request) -> web.Response:
        return web.json_response(body=orjson.dumps(market.figures()))

    async def status(_request: web.Request) -> web.Response:
        return web.json_response(body=orjson.dumps(market.status()))

    return [web.get("/market-data/global", show), web.get("/market-data/global/status", status)]
