"""Bybit API v5, spot: concatenated symbols, retCode in the body, the time of the answer in the envelope."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final

from aiohttp import web

from devkit.market.assets import TOKENS
from devkit.market.dialects.dialect import Dialect, answer, share, text
from devkit.market.process import Pair
from devkit.market.venue import Market, Tick, Venue, market
from meshkit.clock import Clock

_CROSS_BASES: Final = ("ETH", "SOL", "XRP", "LTC")
_STAKED_IN_ETHER: Final = ("METH", "WEETH", "WSTETH")


@cache
def _listing() -> dict[str, Market]:
    pairs = [Pair(base, "USDT") for base in TOKENS if base != "USDT"]
    pairs += [Pair(base, quote) for base in ("BTC", "ETH", "SOL") for quote in ("USDC", "EUR")]
    pairs += [Pair(base, "BTC") for base in _CROSS_BASES] + [Pair(base, "ETH") for base in _STAKED_IN_ETHER]
    return {p.base + p.quote: market(p, most_decimals=10) for p in pairs}


class Bybit(Dialect):
    """Speak Bybit."""

    source = "bybit"

    def __init__(self, venue: Venue, clock: Clock) -> None:
        super().__init__(venue, clock)
        self.markets = _listing()

    def routes(self) -> Sequence[web.RouteDef]:
        """Return the paths and their handlers."""
        return (
            web.get("/v5/market/time", self._time),
            web.get("/v5/market/tickers", self._tickers),
            web.get("/v5/market/instruments-info", self._instruments),
        )

    def limit_answers(self) -> Mapping[str, web.Response]:
        """Return the HTTP 403 of too many requests of one address, code 10006 in a 200, and HTTP 429 of the system."""
        return {
            "address": web.Response(text="403, access too frequent. Please try your request later.", status=403),
            "visits": self._answer({}, code=10006, message="Too many visits!"),
            "system": web.Response(text="Too many requests", status=429),
        }

    def _answer(self, result: object, *, code: int = 0, message: str = "OK") -> web.Response:
        body = {"retCode": code, "retMsg": message, "result": result, "retExtInfo": {}, "time": self.stamp_ms()}
        return answer(body)

    async def _time(self, _request: web.Request) -> web.Response:
        now_ms = self.stamp_ms()
        return self._answer({"timeSecond": str(now_ms // 1000), "timeNano": str(now_ms * 1_000_000)})

    async def _tickers(self, request: web.Request) -> web.Response:
        if request.query.get("category") != "spot":
            return self._not_spot()
        name = request.query.get("symbol")
        if name is not None and name not in self.markets:
            return self._answer({}, code=10001, message="Not supported symbols")
        names = self.markets if name is None else (name,)
        rows = [_row(n, self.tick(self.markets[n])) for n in names]
        return self._answer({"category": "spot", "list": rows})

    async def _instruments(self, request: web.Request) -> web.Response:
        if request.query.get("category") != "spot":
            return self._not_spot()
        name = request.query.get("symbol")
        rows = [_instrument(n, self.venue.listed(listed)) for n, listed in self.markets.items() if name in (None, n)]
        return self._answer({"category": "spot", "list": rows, "nextPageCursor": ""})

    def _not_spot(self) -> web.Response:
        return self._answer({}, code=10001, message="params error: Category is invalid")


def _row(name: str, tick: Tick) -> dict[str, str]:
    row = day(name, tick)
    size = text(share(tick.volume, 10_000))
    book = {"bid1Price": text(tick.bid), "bid1Size": size, "ask1Price": text(tick.ask), "ask1Size": size}
    return {"symbol": name, **book, **row}


def day(name: str, tick: Tick) -> dict[str, str]:
    """Return what REST and streams have in common: the last price and the day, without the book."""
    row = {
        "symbol": name,
        "lastPrice": text(tick.last),
        "prevPrice24h": text(tick.open),
        "price24hPcnt": format((tick.last - tick.open) / tick.open, ".4f"),
        "highPrice24h": text(tick.high),
        "lowPrice24h": text(tick.low),
        "turnover24h": text((tick.volume * tick.open).quantize(tick.open)),
        "volume24h": text(tick.volume),
    }
    # Only symbols quoted in dollar tokens have an index.
    return row | {"usdIndexPrice": text(tick.last)} if name.endswith(("USDT", "USDC")) else row


def _instrument(name: str, listed: Market) -> dict[str, object]:
    return {
        "symbol": name,
        "baseCoin": listed.pair.base,
        "quoteCoin": listed.pair.quote,
        "innovation": "0",
        "status": "Trading" if listed.trading else "Closed",
        "marginTrading": "none",
        "lotSizeFilter": {"basePrecision": "0.000001", "quotePrecision": "0.00000001", "minOrderQty": "0.00001"},
        "priceFilter": {"tickSize": text(listed.increment)},
    }
