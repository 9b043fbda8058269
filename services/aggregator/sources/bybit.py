"""Bybit v5 REST: last trade, bid and ask with the answer's time; one symbol or all of them, errors in HTTP 200."""

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

TRADING = "Trading"
SUCCESS = 0
# Any parameter error; only its text tells that it is the symbol.
PARAMETER_ERROR = 10001
UNKNOWN_SYMBOL = "not supported symbols"
REFUSALS = frozenset({10003, 10009, 10010, 10024})
FAULTS = frozenset({PARAMETER_ERROR, 10000, 10002, 10016})
# An address that asks too often gets this text with HTTP 403, as which a forbidden country comes too.
ADDRESS_LIMIT = "access too frequent"
ADDRESS_LIMIT_MS = 600_000
_SPOT = "spot"


class BybitSource:
    """Fetch spot tickers from Bybit; other categories have the same symbols, so the category is always given."""

    DECLARATION: ClassVar[Declaration] = Declaration(
        name="bybit",
        base_url="https://api.bybit.com",
        hosts=("https://api.bytick.com", "https://api.bybit.nl", "https://api.bybit.eu", "https://api.bybit.kz"),
        max_batch=1_000,  # there is no list of symbols, but one call has all of them
        rps=Fraction(120),
        cool_down_ms=5_000,  # 600 requests in 5 s
        reset_header="X-Bapi-Limit-Reset-Timestamp",
        exchange_time=ExchangeTime.ANSWER,
        max_age_ms=MINUTE_MS,
        has_stream=True,
    )

    def __init__(self, client: SourceClient, clock: Clock) -> None:
        self._client = client
        self.markets = Markets("bybit", self._load, clock)

    async def fetch(self, pairs: Sequence[Pair], limiter: RateLimiter = UNLIMITED) -> Mapping[Pair, TickOutcome]:
        """Return a tick or an error for each pair; raise a MeshError that concerns all of them."""
        asked, outcomes = await self.markets.split(pairs, limiter)
        if asked:
            outcomes.update(await self._tickers(asked, limiter))
        return outcomes

    async def _tickers(self, asked: Mapping[Pair, str], limiter: RateLimiter) -> Mapping[Pair, TickOutcome]:
        single = next(iter(asked)) if len(asked) == 1 else None
        parameters = {} if single is None else {"symbol": asked[single]}
        answer = await self._get("/v5/market/tickers", parameters, limiter)
        if single is not None and _is_unknown_symbol(answer):
            self.markets.expire()
            return {single: UnknownPair(single, "bybit")}
        named = shapes.by_name(self._rows(answer), "symbol")
        try:
            time_ms = shapes.time_ms(answer.fields, "time")
        except Misshapen as error:
            raise self._client.malformed(f"an answer without a time: {error}") from None
        return {pair: self._tick(name, named.get(name), time_ms) for pair, name in asked.items()}

    def _tick(self, name: str, found: object, time_ms: int) -> TickOutcome:
        try:
            row = shapes.record(found, name)
            bid, ask = shapes.side(row, "bid1Price"), shapes.side(row, "ask1Price")
            return Tick(shapes.price(row, "lastPrice"), time_ms, bid, ask)
        except Misshapen as error:
            return self._client.malformed(f"no last trade, bid and ask of {name}: {error}")

    async def _load(self, limiter: RateLimiter) -> Listed:
        answer = await self._get("/v5/market/instruments-info", {}, limiter)
        markets = read_markets(self._rows(answer), _market)
        if not markets:
            raise self._client.malformed("no instruments")
        return Listed(markets, age_ms=answer.age_ms)

    async def _get(self, path: str, parameters: Mapping[str, str], limiter: RateLimiter) -> Answer:
        answer = await self._client.get(path, {"category": _SPOT, **parameters}, limiter=limiter, reads=(403,))
        if answer.status == 403:
            said = answer.body if isinstance(answer.body, str) else str(answer.fields.get("retMsg"))
            if ADDRESS_LIMIT in said.lower():
                raise self._client.limited(answer.wait_ms or ADDRESS_LIMIT_MS)
            raise self._client.refused("HTTP 403")
        return answer

    def _rows(self, answer: Answer) -> Sequence[Any]:
        code = answer.fields.get("retCode")
        if answer.status != 200 or (code is not None and code != SUCCESS):
            raise self._failure(answer, shapes.hashable(code))
        try:
            shapes.expect(answer.fields, "retCode", SUCCESS)
            result = shapes.record(answer.fields.get("result"), "result")
            shapes.expect_if_told(result, category=_SPOT)
            return shapes.rows(result.get("list"), "list")
        except Misshapen as error:
            raise self._client.without_data(answer, f"an answer without retCode and list: {error}") from None

    def _failure(self, answer: Answer, code: object) -> MeshError:
        if code in REFUSALS:
            return self._client.refused(f"code {code}")
        if answer.status == 200 and code not in FAULTS:
            # Those of too many requests (10006, 10018), and unknown ones, which are taken for such.
            return self._client.limited(answer.wait_ms)
        return self._client.failed(answer.status, f"code {shapes.shown(code)}")


def _market(row: Record) -> tuple[Pair, Market]:
    status = shapes.text(row, "status")
    halt = "" if status == TRADING else status
    return pair_in(row, ("baseCoin", "quoteCoin")), Market(shapes.text(row, "symbol"), halt)


def _is_unknown_symbol(answer: Answer) -> bool:
    told = answer.fields.get("retMsg")
    return answer.fields.get("retCode") == PARAMETER_ERROR and isinstance(told, str) and UNKNOWN_SYMBOL in told.lower()
