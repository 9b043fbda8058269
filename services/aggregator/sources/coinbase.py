"""Coinbase Exchange REST: last trade with its time, bid and ask, one product a call."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import ClassVar

from meshkit.clock import Clock
from services.aggregator.prices.errors import UnknownPair
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.sources import shapes
from services.aggregator.sources.client import SourceClient
from services.aggregator.sources.shapes import Record
from services.aggregator.sources.source import UNLIMITED, Declaration, ExchangeTime, RateLimiter, TickOutcome

ONLINE = "online"
# What a product's listing says of it while there are no trades.
HALTS = ("trading_disabled", "cancel_only", "post_only", "auction_mode")


class CoinbaseSource:
    """Fetch tickers from Coinbase Exchange, which has trades, and not from its spot prices, which are derived rates."""

    DECLARATION: ClassVar[Declaration] = Declaration(
        name="coinbase",
        base_url="https://api.exchange.coinbase.com",
        max_batch=1,
        rps=Fraction("2.8"),
        max_concurrent=10,  # 10 requests a second, bursts of 15
        cool_down_ms=1_000,
        exchange_time=ExchangeTime.TRADE,
        has_stream=True,
    )

    def __init__(self, client: SourceClient, _clock: Clock) -> None:
        self._client = client

    async def fetch(self, pairs: Sequence[Pair], limiter: RateLimiter = UNLIMITED) -> Mapping[Pair, TickOutcome]:
        """Return a tick or an error for each pair; raise a MeshError that concerns all of them."""
        return {pair: await self._ticker(pair, limiter) for pair in pairs}

    async def _ticker(self, pair: Pair, limiter: RateLimiter) -> TickOutcome:
        answer = await self._client.get(f"/products/{pair.base}-{pair.quote}/ticker", limiter=limiter)
        body = answer.body if isinstance(answer.body, dict) else {}
        if answer.status == 404 and body.get("message") == "NotFound":
            return UnknownPair(pair, "coinbase")
        if answer.status != 200:
            # Other 404 pages come from the network before the exchange and say nothing about the pair.
            raise self._client.fault(f"HTTP {answer.status}")
        try:
            time_ms = int(datetime.fromisoformat(body["time"]).timestamp() * 1000)
            return Tick(body["price"], time_ms, body["bid"], body["ask"])
        except (KeyError, TypeError, ValueError):
            raise self._client.malformed(f"no price, bid, ask and time of {pair}") from None


def halt_of(product: Record) -> str:
    """Return why nobody trades a product, empty if somebody may; with limit orders only, trades go on."""
    if "status" in product and product["status"] != ONLINE:
        return shapes.shown(product["status"]).strip("'")
    return next((name for name in HALTS if product.get(name) is True), "")
