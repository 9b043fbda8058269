"""Binance spot REST: last trade prices, any number of symbols in one call, no exchange time."""

import json
from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction
from typing import Any, ClassVar

from meshkit.clock import Clock
from meshkit.errors import MeshError
from services.aggregator.prices.errors import PriceRefused, UnknownPair
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.sources import shapes
from services.aggregator.sources.batch_halving import in_halves
from services.aggregator.sources.client import LONGEST_LISTING_BYTES, Answer, SourceClient
from services.aggregator.sources.life_signs import LifeSigns
from services.aggregator.sources.markets import Listed, Market, Markets, Statuses, pair_in, read_markets
from services.aggregator.sources.shapes import Misshapen, Record
from services.aggregator.sources.source import MINUTE_MS, UNLIMITED, Declaration, RateLimiter, TickOutcome

TRADING = "TRADING"
UNKNOWN_SYMBOL = -1121
# Too many requests, connections or orders, and a server that has too much to do.
LIMITS = frozenset({-1003, -1008, -1015, -1034})
LISTING = "/api/v3/exchangeInfo"
# More would make an address of over 8 KB.
_MOST_NAMES = 400


class BinanceSource:
    """Fetch last trade prices from Binance; a symbol is base and quote without a separator, in upper case."""

    DECLARATION: ClassVar[Declaration] = Declaration(
        name="binance",
        base_url="https://api.binance.com",
        hosts=("https://data-api.binance.vision",),
        max_batch=_MOST_NAMES,  # weight 4 of 6000 a minute for any number
        rps=Fraction(100),
        cool_down_ms=10_000,
        has_stream=True,
        # Of its stream, which has a message a second of whatever is traded.
        max_age_ms=10 * MINUTE_MS,
        major_max_age_ms=MINUTE_MS,
    )

    def __init__(self, client: SourceClient, clock: Clock) -> None:
        self._client = client
        self._life = LifeSigns(clock)
        self.markets = Markets("binance", self._load, clock, look=self._look)

    async def fetch(self, pairs: Sequence[Pair], limiter: RateLimiter = UNLIMITED) -> Mapping[Pair, TickOutcome]:
        """Return a tick or an error for each pair; raise a MeshError that concerns all of them."""
        asked, others = await self.markets.split(pairs, limiter)
        return {**others, **await self._prices(asked, limiter)} if asked else others

    async def _prices(self, asked: Mapping[Pair, str], limiter: RateLimiter) -> Mapping[Pair, TickOutcome]:
        params = {"symbol": next(iter(asked.values()))} if len(asked) == 1 else _symbols(asked.values())
        answer = await self._client.get("/api/v3/ticker/price", params, limiter=limiter)
        if answer.status == 200:
            rows = answer.body if isinstance(answer.body, list) else [answer.body]
            if isinstance(answer.body, dict) and "symbol" not in answer.body:
                return dict.fromkeys(asked, self._client.without_data(answer, "an answer without a symbol"))
            if _code(answer) is not None:
                raise self._failure(answer)
            named = shapes.by_name(rows, "symbol")
            return {pair: self._tick(pair, name, named.get(name), answer) for pair, name in asked.items()}
        if _code(answer) == UNKNOWN_SYMBOL:
            self.markets.expire()
            if len(asked) == 1:
                return {pair: UnknownPair(pair, "binance") for pair in asked}
            return await in_halves(asked, self._prices, limiter)
        raise self._failure(answer)

    def _tick(self, pair: Pair, name: str, row: Any, answer: Answer) -> TickOutcome:
        try:
            price = shapes.price(shapes.record(row, name), "price")
        except Misshapen as error:
            return self._client.malformed(f"no price of {name}: {error}")
        if not self._life.is_alive(pair, price, self.markets.confirmed_at(pair)):
            why = "its market shows no sign of life: neither its status nor its price"
            return PriceRefused("binance", pair, str(price), why, rule="lifeless")
        return Tick(price, age_ms=answer.age_ms)

    async def _load(self, limiter: RateLimiter) -> Listed:
        rows, age_ms = await self._symbols_of({}, limiter)
        markets = read_markets(rows, _market)
        if not markets:
            raise self._client.malformed("exchangeInfo without any symbol")
        return Listed(markets, age_ms=age_ms)

    async def _look(self, names: Collection[str], limiter: RateLimiter) -> Statuses:
        halts: dict[str, str] = {}
        age_ms = 0
        wanted = list(names)
        for start in range(0, len(wanted), _MOST_NAMES):
            rows, age = await self._symbols_of(_symbols(wanted[start : start + _MOST_NAMES]), limiter)
            halts |= {market.name: market.halt for market in read_markets(rows, _market).values()}
            age_ms = max(age_ms, age)
        return Statuses({name: halt for name, halt in halts.items() if name in names}, age_ms)

    async def _symbols_of(self, params: Mapping[str, str], limiter: RateLimiter) -> tuple[Sequence[Any], int]:
        answer = await self._client.get(LISTING, params, limiter=limiter, most_bytes=LONGEST_LISTING_BYTES)
        if answer.status != 200:
            if _code(answer) == UNKNOWN_SYMBOL:
                self.markets.expire()
            raise self._failure(answer)
        try:
            return shapes.rows(answer.fields.get("symbols"), "symbols"), answer.age_ms
        except Misshapen as error:
            raise self._client.malformed(f"exchangeInfo: {error}") from None

    def _failure(self, answer: Answer) -> MeshError:
        code = _code(answer)
        if code in LIMITS:
            return self._client.limited(answer.wait_ms)
        return self._client.failed(answer.status, f"code {shapes.shown(code)}")


def _symbols(names: Collection[str]) -> dict[str, str]:
    return {"symbols": json.dumps(list(names), separators=(",", ":"))}


def _market(row: Record) -> tuple[Pair, Market]:
    status = shapes.text(row, "status")
    halt = "" if status == TRADING else status
    if not halt and row.get("isSpotTradingAllowed") is False:
        halt = "spot trading is not allowed"
    return pair_in(row, ("baseAsset", "quoteAsset")), Market(shapes.text(row, "symbol"), halt)


def _code(answer: Answer) -> object:
    return shapes.hashable(answer.fields.get("code"))
