"""KuCoin spot: symbols with a dash, the code in the body as text, weight left in headers, streams by token."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final

from aiohttp import web

from devkit.market.assets import TOKENS
from devkit.market.dialects.dialect import Dialect, answer, share, text
from devkit.market.process import Pair
from devkit.market.venue import Market, Tick, Venue, market
from devkit.market.weight import WeightWindow
from meshkit.clock import Clock

WEIGHT_PER_WINDOW: Final = 2000
WINDOW_MS: Final = 30_000
SNAPSHOT_MS: Final = 2_000
_CROSS_BASES: Final = ("ETH", "SOL", "XRP", "LTC", "ADA", "LINK", "DOT")
_ETHER_BASES: Final = ("ENJ", "LINK", "UNI", "ADA", "WSTETH")
_HALTED: Final = frozenset({"FTT"})


@cache
def _listing() -> dict[str, Market]:
    pairs = [Pair(base, "USDT") for base in TOKENS if base != "USDT"]
    pairs += [Pair(base, "USDC") for base in ("BTC", "ETH", "SOL", "XRP")]
    pairs += [Pair(base, "BTC") for base in _CROSS_BASES] + [Pair(base, "ETH") for base in _ETHER_BASES]
    return {f"{p.base}-{p.quote}": market(p, most_decimals=10, trading=p.base not in _HALTED) for p in pairs}


class Kucoin(Dialect):
    """Speak KuCoin."""

    source = "kucoin"

    def __init__(self, venue: Venue, clock: Clock) -> None:
        super().__init__(venue, clock)
        self.markets = _listing()
        self._weight = WeightWindow(WINDOW_MS)

    def routes(self) -> Sequence[web.RouteDef]:
        """Return the paths and their handlers."""
        return (
            web.get("/api/v1/timestamp", self._timestamp),
            web.get("/api/v1/market/orderbook/level1", self._level1),
            web.get("/api/v1/market/allTickers", self._all_tickers),
            web.get("/api/v2/symbols", self._symbols),
            web.get("/api/v2/symbols/{symbol}", self._symbol),
        )

    def limit_answers(self) -> Mapping[str, web.Response]:
        """Return HTTP 429 with code 429000, the same inside a 200, and the limit of a single endpoint."""
        headers = {"gw-ratelimit-limit": str(WEIGHT_PER_WINDOW), "gw-ratelimit-remaining": "0"}
        headers["gw-ratelimit-reset"] = str(WINDOW_MS - self.clock.time_ms() % WINDOW_MS)
        many = {"code": "429000", "msg": "Too Many Requests"}
        return {
            "weight": answer(many, status=429, headers=headers),
            "overload": answer(many),
            "endpoint": answer({"code": "200002", "msg": "Too many requests in a short period of time."}),
        }

    def answer(self, data: object, weight: int) -> web.Response:
        """Return a success with the headers that tell the weight left."""
        now_ms = self.clock.time_ms()
        left = max(0, WEIGHT_PER_WINDOW - self._weight.spend(weight, now_ms))
        headers = {
            "gw-ratelimit-limit": str(WEIGHT_PER_WINDOW),
            "gw-ratelimit-remaining": str(left),
            "gw-ratelimit-reset": str(WINDOW_MS - now_ms % WINDOW_MS),
        }
        return answer({"code": "200000", "data": data}, headers=headers)

    async def _timestamp(self, _request: web.Request) -> web.Response:
        return self.answer(self.stamp_ms(), 3)

    async def _level1(self, request: web.Request) -> web.Response:
        name = request.query.get("symbol", "")
        if not name:
            return _error("400100", "symbol cannot be empty", status=400)
        if name not in self.markets:
            # The documentation names no answer to an unknown symbol here; both forms below have been seen.
            return _unknown(name) if "-" in name else self.answer(None, 2)
        return self.answer(_level1(self.tick(self.markets[name])), 2)

    async def _all_tickers(self, _request: web.Request) -> web.Response:
        now_ms = self.clock.time_ms()
        taken_ms = now_ms - now_ms % SNAPSHOT_MS
        rows = [
            _row(name, self.venue.tick(listed, taken_ms)) for name, listed in self.markets.items() if listed.trading
        ]
        return self.answer({"time": self.venue.stamp_ms(taken_ms), "ticker": rows}, 15)

    async def _symbols(self, _request: web.Request) -> web.Response:
        return self.answer([_symbol_info(name, self.venue.listed(listed)) for name, listed in self.markets.items()], 4)

    async def _symbol(self, request: web.Request) -> web.Response:
        name = request.match_info["symbol"]
        return (
            self.answer(_symbol_info(name, self.venue.listed(self.markets[name])), 4)
            if name in self.markets
            else _unknown(name)
        )


def _unknown(name: str) -> web.Response:
    return _error("900001", f"Trading pair {name} does not exist.")


def _error(code: str, message: str, *, status: int = 200) -> web.Response:
    return answer({"code": code, "msg": message}, status=status)


def _level1(tick: Tick) -> dict[str, object]:
    size = text(share(tick.volume, 10_000))
    return {
        "time": tick.time_ms,
        "sequence": str(tick.trade_id),
        "price": text(tick.last),
        "size": text(share(tick.volume, 100_000)),
        "bestBid": text(tick.bid),
        "bestBidSize": size,
        "bestAsk": text(tick.ask),
        "bestAskSize": size,
    }


def _row(name: str, tick: Tick) -> dict[str, str]:
    size = text(share(tick.volume, 10_000))
    change = tick.last - tick.open
    return {
        "symbol": name,
        "symbolName": name,
        "buy": text(tick.bid),
        "bestBidSize": size,
        "sell": text(tick.ask),
        "bestAskSize": size,
        "changeRate": format(change / tick.open, ".4f"),
        "changePrice": text(change),
        "high": text(tick.high),
        "low": text(tick.low),
        "vol": text(tick.volume),
        "volValue": text((tick.volume * tick.open).quantize(tick.open)),
        "last": text(tick.last),
        "averagePrice": text(tick.open),
        "takerFeeRate": "0.001",
        "makerFeeRate": "0.001",
        "takerCoefficient": "1",
        "makerCoefficient": "1",
    }


def _symbol_info(name: str, listed: Market) -> dict[str, object]:
    return {
        "symbol": name,
        "name": name,
        "baseCurrency": listed.pair.base,
        "quoteCurrency": listed.pair.quote,
        "feeCurrency": listed.pair.quote,
        "market": "BTC" if listed.pair.quote == "BTC" else "USDS",
        "baseMinSize": "0.00001",
        "quoteMinSize": "0.1",
        "baseIncrement": "0.00000001",
        "quoteIncrement": text(listed.increment),
        "priceIncrement": text(listed.increment),
        "priceLimitRate": "0.1",
        "isMarginEnabled": False,
        "enableTrading": listed.trading,
    }
