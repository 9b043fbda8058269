"""Binance spot API v3: tickers by concatenated symbol, used weight in a header, errors as a negative code."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Final

import orjson
from aiohttp import web

from devkit.market.assets import TOKENS
from devkit.market.dialects.dialect import Dialect, answer
from devkit.market.process import Pair
from devkit.market.venue import Market, Tick, Venue, market
from devkit.market.weight import WeightWindow
from meshkit.clock import Clock

WEIGHT_PER_MINUTE: Final = 6000
RETRY_AFTER_S: Final = 10
BAN_S: Final = 120
_CROSS_BASES: Final = ("ETH", "BNB", "SOL", "XRP", "ADA", "LTC", "LINK", "DOT", "AVAX")
_DELISTED: Final = frozenset({"MATIC", "FTT"})
_DAY_MS: Final = 86_400_000
_SYMBOL_RULE: Final = re.compile("^[A-Z0-9-_.]{1,20}$")


@cache
def _listing() -> dict[str, Market]:
    pairs = [Pair(symbol, "USDT") for symbol in (*TOKENS, "EUR") if symbol != "USDT"]
    pairs += [Pair(base, "BTC") for base in _CROSS_BASES]
    pairs += [Pair(base, quote) for base in ("BTC", "ETH", "BNB", "SOL") for quote in ("USDC", "EUR")]
    return {p.base + p.quote: market(p, most_decimals=8, trading=p.base not in _DELISTED) for p in pairs}


class Binance(Dialect):
    """Speak Binance."""

    source = "binance"

    def __init__(self, venue: Venue, clock: Clock) -> None:
        super().__init__(venue, clock)
        self.markets = _listing()
        self._weight = WeightWindow(window_ms=60_000)

    def routes(self) -> Sequence[web.RouteDef]:
        """Return the paths and their handlers."""
        return (
            web.get("/api/v3/ping", self._ping),
            web.get("/api/v3/time", self._time),
            web.get("/api/v3/exchangeInfo", self._exchange_info),
            web.get("/api/v3/ticker/price", self._ticker_price),
            web.get("/api/v3/ticker/bookTicker", self._book_ticker),
            web.get("/api/v3/ticker/24hr", self._ticker_24hr),
        )

    def limit_answers(self) -> Mapping[str, web.Response]:
        """Return HTTP 429 with Retry-After and code -1003, and HTTP 418, the ban of who goes on asking."""
        text = f"Too many requests; current limit is {WEIGHT_PER_MINUTE} request weight per 1 MINUTE."
        banned = f"Way too many requests; IP banned until {self.clock.time_ms() + BAN_S * 1000}."
        return {
            "weight": answer({"code": -1003, "msg": text}, status=429, headers={"Retry-After": str(RETRY_AFTER_S)}),
            "ban": answer({"code": -1003, "msg": banned}, status=418, headers={"Retry-After": str(BAN_S)}),
        }

    def _answer(self, body: object, weight: int) -> web.Response:
        used = self._weight.spend(weight, self.clock.time_ms())
        return answer(body, headers={"X-MBX-USED-WEIGHT": str(used), "X-MBX-USED-WEIGHT-1M": str(used)})

    async def _ping(self, _request: web.Request) -> web.Response:
        return self._answer({}, 1)

    async def _time(self, _request: web.Request) -> web.Response:
        return self._answer({"serverTime": self.clock.time_ms()}, 1)

    async def _exchange_info(self, request: web.Request) -> web.Response:
        wanted, _ = self._wanted(request)
        names = list(self.markets) if wanted is None else wanted
        info = {
            "timezone": "UTC",
            "serverTime": self.clock.time_ms(),
            "rateLimits": [
                {
                    "rateLimitType": "REQUEST_WEIGHT",
                    "interval": "MINUTE",
                    "intervalNum": 1,
                    "limit": WEIGHT_PER_MINUTE,
                }
            ],
            "exchangeFilters": [],
            "symbols": [_symbol_info(name, self.venue.listed(self.markets[name])) for name in names],
        }
        return self._answer(info, 20)

    async def _ticker_price(self, request: web.Request) -> web.Response:
        wanted, single = self._wanted(request)
        now_ms = self.clock.time_ms()

        def row(name: str) -> dict[str, str]:
            return {"symbol": name, "price": _text(self.venue.tick(self.markets[name], now_ms).last)}

        return self._rows(row, wanted, single, 2 if single else 4)

    async def _book_ticker(self, request: web.Request) -> web.Response:
        wanted, single = self._wanted(request)
        now_ms = self.clock.time_ms()

        def row(name: str) -> dict[str, str]:
            tick = self.venue.tick(self.markets[name], now_ms)
            size = _text(tick.volume / 10_000)
            return {
                "symbol": name,
                "bidPrice": _text(tick.bid),
                "bidQty": size,
                "askPrice": _text(tick.ask),
                "askQty": size,
            }

        return self._rows(row, wanted, single, 2 if single else 4)

    async def _ticker_24hr(self, request: web.Request) -> web.Response:
        wanted, single = self._wanted(request)
        now_ms = self.clock.time_ms()

        def row(name: str) -> dict[str, object]:
            return _day(name, self.venue.tick(self.markets[name], now_ms), now_ms)

        count = len(self.markets if wanted is None else wanted)
        return self._rows(row, wanted, single, 2 if count <= 20 else 40 if count <= 100 else 80)

    def _rows(self, row: Callable[[str], object], wanted: list[str] | None, single: bool, weight: int) -> web.Response:
        if wanted is not None and single:
            return self._answer(row(wanted[0]), weight)
        return self._answer([row(name) for name in (self.markets if wanted is None else wanted)], weight)

    def _wanted(self, request: web.Request) -> tuple[list[str] | None, bool]:
        """Return the symbols asked for (None for all) and whether the single form was used."""
        query = request.query
        if "symbol" in query and "symbols" in query:
            raise _refuse(-1128, "Combination of optional parameters invalid.")
        status = query.get("symbolStatus")
        if status not in (None, "TRADING", "HALT", "BREAK"):
            raise _refuse(-1122, "Invalid symbolStatus.")
        if "symbol" in query:
            name = self._known(query["symbol"], "symbol")
            if status not in (None, _status(self.venue.listed(self.markets[name]))):
                raise _refuse(-1220, "The symbol's status does not match the requested symbolStatus.")
            return [name], True
        if "symbols" not in query:
            return (None if status is None else self._with_status(self.markets, status)), False
        names = [self._known(name, "symbols") for name in _symbol_list(query["symbols"])]
        return (names if status is None else self._with_status(names, status)), False

    def _known(self, name: str, parameter: str) -> str:
        if not _SYMBOL_RULE.fullmatch(name):
            text = f"Illegal characters found in parameter '{parameter}'; legal range is '{_SYMBOL_RULE.pattern}'."
            raise _refuse(-1100, text)
        if name not in self.markets:
            raise _refuse(-1121, "Invalid symbol.")
        return name

    def _with_status(self, names: Iterable[str], status: str) -> list[str]:
        return [name for name in names if _status(self.venue.listed(self.markets[name])) == status]


def _symbol_list(text: str) -> list[str]:
    try:
        names = orjson.loads(text)
    except orjson.JSONDecodeError:
        names = None
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise _refuse(-1100, "Illegal characters found in parameter 'symbols'; legal range is a JSON array of symbols.")
    if len(set(names)) < len(names):
        raise _refuse(-1151, "Symbol is present multiple times in the list.")
    return names


def _refuse(code: int, text: str) -> web.HTTPBadRequest:
    return web.HTTPBadRequest(text=orjson.dumps({"code": code, "msg": text}).decode(), content_type="application/json")


def _status(listed: Market) -> str:
    return "TRADING" if listed.trading else "BREAK"


def _text(number: Decimal) -> str:
    """Return Binance's form of a number: always eight fractional digits."""
    return format(number, ".8f")


def _symbol_info(name: str, listed: Market) -> dict[str, object]:
    step = _text(listed.increment)
    return {
        "symbol": name,
        "status": _status(listed),
        "baseAsset": listed.pair.base,
        "baseAssetPrecision": 8,
        "quoteAsset": listed.pair.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
        "isSpotTradingAllowed": listed.trading,
        "isMarginTradingAllowed": False,
        "filters": [{"filterType": "PRICE_FILTER", "minPrice": step, "maxPrice": "1000000.00000000", "tickSize": step}],
        "permissions": [],
    }


def _day(name: str, tick: Tick, now_ms: int) -> dict[str, object]:
    change = tick.last - tick.open
    return {
        "symbol": name,
        "priceChange": _text(change),
        "priceChangePercent": format(change * 100 / tick.open, ".3f"),
        "weightedAvgPrice": _text((tick.last + tick.open) / 2),
        "prevClosePrice": _text(tick.open),
        "lastPrice": _text(tick.last),
        "lastQty": _text(tick.volume / 100_000),
        "bidPrice": _text(tick.bid),
        "bidQty": _text(tick.volume / 10_000),
        "askPrice": _text(tick.ask),
        "askQty": _text(tick.volume / 10_000),
        "openPrice": _text(tick.open),
        "highPrice": _text(tick.high),
        "lowPrice": _text(tick.low),
        "volume": _text(tick.volume),
        "quoteVolume": _text(tick.volume * tick.last),
        "openTime": now_ms - _DAY_MS,
        "closeTime": now_ms,
        "firstId": tick.trade_id - 100_000,
        "lastId": tick.trade_id,
        "count": 100_001,
    }
