"""Binance spot REST: last trade prices, any number of symbols in one call, no exchange time."""

import json
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import ClassVar

from meshkit.clock import Clock
from meshkit.errors import MeshError
from services.aggregator.prices.errors import UnknownPair
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.sources.batch_halving import in_halves
from services.aggregator.sources.client import Answer, SourceClient
from services.aggregator.sources.listing import PairListing
from services.aggregator.sources.source import UNLIMITED, Declaration, RateLimiter, TickOutcome

UNKNOWN_SYMBOL = -1121
TOO_MANY_REQUESTS = -1003


class BinanceSource:
    """Fetch last trade prices from Binance; a symbol is base and quote without a separator, in upper case."""

    DECLARATION: ClassVar[Declaration] = Declaration(
        name="binance",
        base_url="https://api.binance.com",
        hosts=("https://data-api.binance.vision",),
        max_batch=400,  # weight 4 of 6000 a minute for any number; the bound keeps the URL below 8 KB
        rps=Fraction(100),
        cool_down_ms=10_000,
        has_stream=True,
    )

    def __init__(self, client: SourceClient, clock: Clock) -> None:
        self._client = client
        self._listing = PairListing("binance", self._load_listing, clock)

    async def fetch(self, pairs: Sequence[Pair], limiter: RateLimiter = UNLIMITED) -> Mapping[Pair, TickOutcome]:
        """Return a tick or an error for each pair; raise a MeshError that concerns all of them."""
        asked, unknown = await self._listing.split(pairs, limiter)
        return {**unknown, **await self._prices(asked, limiter)} if asked else unknown

    async def _prices(self, asked: Mapping[Pair, str], limiter: RateLimiter) -> Mapping[Pair, TickOutcome]:
        if len(asked) == 1:
            params = {"symbol": next(iter(asked.values()))}
        else:
            params = {"symbols": json.dumps(list(asked.values()), separators=(",", ":"))}
        answer = await self._client.get("/api/v3/ticker/price", params, limiter=limiter)
        if answer.status == 200:
            return self._read(answer.body, asked)
        if _code(answer) == UNKNOWN_SYMBOL:
            self._listing.expire()
            if len(asked) == 1:
                return {pair: UnknownPair(pair, "binance") for pair in asked}
            return await in_halves(asked, self._prices, limiter)
        raise self._failure(answer)

    def _read(self, body: object, asked: Mapping[Pair, str]) -> Mapping[Pair, TickOutcome]:
        rows = body if isinstance(body, list) else [body]
        prices = {
            row["symbol"]: row["price"] for row in rows if isinstance(row, dict) and row.keys() >= {"symbol", "price"}
        }
        missing = self._client.malformed("an answer without the price of a symbol that was asked for")
        return {pair: Tick(prices[name]) if name in prices else missing for pair, name in asked.items()}

    async def _load_listing(self, limiter: RateLimiter) -> Mapping[Pair, str]:
        answer = await self._client.get("/api/v3/exchangeInfo", limiter=limiter)
        if answer.status != 200:
            raise self._failure(answer)
        try:
            return {
                Pair(row["baseAsset"], row["quoteAsset"]): row["symbol"]
                for row in answer.body["symbols"]  # type: ignore[index]
                if row["status"] == "TRADING"
            }
        except (KeyError, TypeError) as error:
            raise self._client.malformed(f"exchangeInfo lacks {error}") from error

    def _failure(self, answer: Answer) -> MeshError:
        code = _code(answer)
        if code == TOO_MANY_REQUESTS:
            return self._client.limited()
        return self._client.fault(f"HTTP {answer.status}, code {code}")


def _code(answer: Answer) -> object:
    return answer.body.get("code") if isinstance(answer.body, dict) else None
