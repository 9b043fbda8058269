"""Coinbase Exchange REST: last trade with its time, bid and ask, one product a call."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import ClassVar

from meshkit.clock import Clock
from services.aggregator.prices.errors import MarketHalted, UnknownPair
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.sources import shapes
from services.aggregator.sources.client import SourceClient
from services.aggregator.sources.markets import Listed, Market, Markets, pair_in, read_markets
from services.aggregator.sources.shapes import Misshapen, Record
from services.aggregator.sources.source import (
    MINUTE_MS,
    UNLIMITED,
    Declaration,
    ExchangeTime,
    RateLimiter,
    TickOutcome,
)

ONLINE = "online"
# What a product's listing says of it while there are no trades.
HALTS = ("trading_disabled", "cancel_only", "post_only", "auction_mode")
_GONE = "delisted"
_NOT_FOUND = "NotFound"


class CoinbaseSource:
    """
    Fetch tickers from Coinbase Exchange, which has trades, and not from its spot prices, which are derived rates.

    The list of products only tells which of them are halted: a ticker has the time of its trade, and goes without.
    """

    DECLARATION: ClassVar[Declaration] = Declaration(
        name="coinbase",
        base_url="https://api.exchange.coinbase.com",
        max_batch=1,
        rps=Fraction("2.8"),
        max_concurrent=10,  # 10 requests a second, bursts of 15
        cool_down_ms=1_000,
        exchange_time=ExchangeTime.TRADE,
        major_max_age_ms=5 * MINUTE_MS,
        has_stream=True,
    )

    def __init__(self, client: SourceClient, clock: Clock) -> None:
        self._client = client
        self.markets = Markets("coinbase", self._load, clock)

    async def fetch(self, pairs: Sequence[Pair], limiter: RateLimiter = UNLIMITED) -> Mapping[Pair, TickOutcome]:
        """Return a tick or an error for each pair; raise a MeshError that concerns all of them."""
        halted = await self.markets.halts(pairs, limiter)
        return {pair: halted.get(pair) or await self._ticker(pair, limiter) for pair in pairs}

    async def _ticker(self, pair: Pair, limiter: RateLimiter) -> TickOutcome:
        name = f"{pair.base}-{pair.quote}"
        answer = await self._client.get(f"/products/{name}/ticker", limiter=limiter)
        said = answer.fields.get("message")
        if answer.status == 404 and said == _NOT_FOUND:
            return UnknownPair(pair, "coinbase")
        if answer.status != 200:
            # Other pages say nothing about whether there is the pair; but what is said, is said of this product only.
            if isinstance(said, str) and _GONE in said.lower():
                return MarketHalted("coinbase", pair, _GONE)
            return self._client.failed(answer.status, shapes.shown(said))
        try:
            shapes.expect_if_told(answer.fields, product_id=name)
            bid, ask = shapes.side(answer.fields, "bid"), shapes.side(answer.fields, "ask")
            return Tick(shapes.price(answer.fields, "price"), shapes.moment_ms(answer.fields, "time"), bid, ask)
        except Misshapen as error:
            return self._client.without_data(answer, f"no price, bid, ask and time of {pair}: {error}")

    async def _load(self, limiter: RateLimiter) -> Listed:
        answer = await self._client.get("/products", limiter=limiter)
        if answer.status != 200:
            raise self._client.failed(answer.status)
        markets = read_markets(answer.body if isinstance(answer.body, list) else (), _market)
        if not markets:
            raise self._client.malformed("no products")
        return Listed(markets, age_ms=answer.age_ms)


def _market(row: Record) -> tuple[Pair, Market]:
    return pair_in(row, ("base_currency", "quote_currency")), Market(shapes.text(row, "id"), halt_of(row))


def halt_of(product: Record) -> str:
    """Return why nobody trades a product, empty if somebody may; with limit orders only, trades go on."""
    if "status" in product and product["status"] != ONLINE:
        return shapes.shown(product["status"]).strip("'")
    return next((name for name in HALTS if product.get(name) is True), "")
