"""KuCoin REST: last trade, bid and ask with the answer's time; one symbol or all of them, errors in HTTP 200."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, ClassVar

from meshkit.clock import Clock
from meshkit.errors import MeshError
from services.aggregator.prices.errors import UnknownPair
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.sources import shapes
from services.aggregator.sources.client import Answer, SourceClient
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

# Codes are text.
SUCCESS = "200000"
# The first says that the pair does not exist, the second is its form on other endpoints: a symbol that is no symbol.
UNKNOWN_SYMBOL = frozenset({"900001", "400100"})
# A fault of its own, a path or a version that it does not have.
FAULTS = frozenset({"500000", "404000", "400200", "400400"})
HALT = "enableTrading is false"


class KucoinSource:
    """Fetch spot tickers from KuCoin; a symbol is base and quote with a dash, and stays when an asset is renamed."""

    DECLARATION: ClassVar[Declaration] = Declaration(
        name="kucoin",
        base_url="https://api.kucoin.com",
        max_batch=1_000,  # there is no list of symbols, but one call has all of them
        rps=Fraction(30),
        cool_down_ms=10_000,
        reset_header="gw-ratelimit-reset",
        exchange_time=ExchangeTime.UPDATE,
        max_age_ms=10 * MINUTE_MS,
        major_max_age_ms=MINUTE_MS,
        has_stream=True,
    )

    def __init__(self, client: SourceClient, clock: Clock) -> None:
        self._client = client
        self.markets = Markets("kucoin", self._load, clock)

    async def fetch(self, pairs: Sequence[Pair], limiter: RateLimiter = UNLIMITED) -> Mapping[Pair, TickOutcome]:
        """Return a tick or an error for each pair; raise a MeshError that concerns all of them."""
        asked, outcomes = await self.markets.split(pairs, limiter)
        if len(asked) == 1:
            outcomes.update(await self._one(*asked.popitem(), limiter))
        elif asked:
            outcomes.update(await self._all(asked, limiter))
        return outcomes

    async def _one(self, pair: Pair, name: str, limiter: RateLimiter) -> Mapping[Pair, TickOutcome]:
        answer = await self._client.get("/api/v1/market/orderbook/level1", {"symbol": name}, limiter=limiter)
        fields = answer.fields
        code = shapes.hashable(fields.get("code"))
        is_null = code == SUCCESS and "data" in fields and fields["data"] is None
        if is_null or code in UNKNOWN_SYMBOL:
            self.markets.expire()
            return {pair: UnknownPair(pair, "kucoin")}
        data = self._data(answer)
        try:
            row = shapes.record(data, "data")
            shapes.expect_if_told(row, symbol=name)
            bid, ask = shapes.side(row, "bestBid"), shapes.side(row, "bestAsk")
            return {pair: Tick(shapes.price(row, "price"), shapes.time_ms(row, "time"), bid, ask)}
        except Misshapen as error:
            return {pair: self._client.malformed(f"no price, time, bid and ask of {name}: {error}")}

    async def _all(self, asked: Mapping[Pair, str], limiter: RateLimiter) -> Mapping[Pair, TickOutcome]:
        data = self._data(await self._client.get("/api/v1/market/allTickers", limiter=limiter))
        try:
            fields = shapes.record(data, "data")
            time_ms = shapes.time_ms(fields, "time")
            named = shapes.by_name(shapes.rows(fields.get("ticker"), "ticker"), "symbol")
        except Misshapen as error:
            raise self._client.malformed(f"an answer without time and tickers: {error}") from None
        return {pair: self._tick(name, named.get(name), time_ms) for pair, name in asked.items()}

    def _tick(self, name: str, found: object, time_ms: int) -> TickOutcome:
        try:
            row = shapes.record(found, name)
            return Tick(shapes.price(row, "last"), time_ms, shapes.side(row, "buy"), shapes.side(row, "sell"))
        except Misshapen as error:
            return self._client.malformed(f"no last trade, bid and ask of {name}: {error}")

    async def _load(self, limiter: RateLimiter) -> Listed:
        answer = await self._client.get("/api/v2/symbols", limiter=limiter)
        try:
            rows = shapes.rows(self._data(answer), "data")
        except Misshapen as error:
            raise self._client.malformed(f"no symbols: {error}") from None
        markets = read_markets(rows, _market)
        if not markets:
            raise self._client.malformed("no symbols")
        names = {market.name: pair for pair, market in markets.items()}
        return Listed(markets, _aliases(rows, names), answer.age_ms)

    def _data(self, answer: Answer) -> Any:
        code = answer.fields.get("code")
        if answer.status != 200 or (code is not None and code != SUCCESS):
            raise self._failure(answer, shapes.hashable(code))
        if "data" not in answer.fields or code is None:
            raise self._client.without_data(answer, "an answer without code and data")
        return answer.fields["data"]

    def _failure(self, answer: Answer, code: object) -> MeshError:
        if answer.status == 200 and code not in FAULTS:
            # Those of the weight pool (429000) and of one endpoint (200002), and unknown ones. The reset of the pool
            # comes with every answer and says nothing about these.
            return self._client.limited()
        return self._client.failed(answer.status, f"code {shapes.shown(code)}")


def _market(row: Record) -> tuple[Pair, Market]:
    halt = "" if shapes.flag(row, "enableTrading") else HALT
    return pair_in(row, ("baseCurrency", "quoteCurrency")), Market(shapes.text(row, "symbol"), halt)


def _aliases(rows: Sequence[Any], pairs: Mapping[str, Pair]) -> Mapping[Pair, Pair]:
    """Return the pairs of the names that symbols are shown under, which change when an asset is renamed."""
    aliases = {}
    for row in rows:
        symbol, name = (row.get("symbol"), row.get("name")) if isinstance(row, dict) else (None, None)
        if isinstance(symbol, str) and isinstance(name, str) and symbol in pairs:
            base, _, quote = name.partition("-")
            aliases[Pair(base, quote)] = pairs[symbol]
    return aliases
