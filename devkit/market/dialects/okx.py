"""OKX API v5: instruments with a dash, the code in the body as text, the time of the ticker in each."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final

from aiohttp import web

from devkit.market.assets import TOKENS
from devkit.market.dialects.dialect import Dialect, answer, share, text
from devkit.market.process import Pair
from devkit.market.venue import Market, Tick, Venue, market
from meshkit.clock import Clock

_CROSS_BASES: Final = ("ETH", "SOL", "XRP", "LTC", "ADA", "LINK", "DOT")
_SUSPENDED: Final = frozenset({"FTT"})
UNKNOWN_INSTRUMENT: Final = "Instrument ID, Instrument ID code, or Spread ID doesn't exist."


@cache
def _listing() -> dict[str, Market]:
    pairs = [Pair(base, quote) for base in TOKENS for quote in ("USDT", "USD") if base != quote]
    pairs += [Pair(base, "USDC") for base in ("BTC", "ETH", "SOL")] + [Pair(base, "BTC") for base in _CROSS_BASES]
    return {f"{p.base}-{p.quote}": market(p, most_decimals=12, trading=p.base not in _SUSPENDED) for p in pairs}


class Okx(Dialect):
    """Speak OKX."""

    source = "okx"

    def __init__(self, venue: Venue, clock: Clock) -> None:
        super().__init__(venue, clock)
        self.markets = _listing()

    def routes(self) -> Sequence[web.RouteDef]:
        """Return the paths and their handlers."""
        return (
            web.get("/api/v5/public/time", self._time),
            web.get("/api/v5/public/instruments", self._instruments),
            web.get("/api/v5/market/ticker", self._ticker),
            web.get("/api/v5/market/tickers", self._tickers),
        )

    def limit_answers(self) -> Mapping[str, web.Response]:
        """Return HTTP 429 with code 50011."""
        return {"requests": _error("50011", "Too Many Requests", status=429)}

    async def _time(self, _request: web.Request) -> web.Response:
        return _answer([{"ts": str(self.stamp_ms())}])

    async def _instruments(self, request: web.Request) -> web.Response:
        if (refusal := _not_spot(request)) is not None:
            return refusal
        name = request.query.get("instId")
        if name is not None and name not in self.markets:
            return _error("51001", UNKNOWN_INSTRUMENT)
        return _answer(
            [_instrument(n, self.venue.listed(listed)) for n, listed in self.markets.items() if name in (None, n)]
        )

    async def _ticker(self, request: web.Request) -> web.Response:
        name = request.query.get("instId", "")
        if not name:
            return _error("50014", "Parameter instId can not be empty.", status=400)
        listed = self.markets.get(name)
        if listed is None or not listed.trading:
            return _error("51001", UNKNOWN_INSTRUMENT)
        return _answer([ticker(name, self.tick(listed))])

    async def _tickers(self, request: web.Request) -> web.Response:
        if (refusal := _not_spot(request)) is not None:
            return refusal
        return _answer([ticker(name, self.tick(listed)) for name, listed in self.markets.items() if listed.trading])


def _not_spot(request: web.Request) -> web.Response | None:
    kind = request.query.get("instType", "")
    if not kind:
        return _error("50014", "Parameter instType can not be empty.", status=400)
    return None if kind == "SPOT" else _error("51000", "Parameter instType error", status=400)


def _answer(data: object) -> web.Response:
    return answer({"code": "0", "msg": "", "data": data})


def _error(code: str, message: str, *, status: int = 200) -> web.Response:
    return answer({"code": code, "data": [], "msg": message}, status=status)


def ticker(name: str, tick: Tick) -> dict[str, str]:
    """Return a ticker as REST and streams have it."""
    size = text(share(tick.volume, 10_000))
    return {
        "instType": "SPOT",
        "instId": name,
        "last": text(tick.last),
        "lastSz": text(share(tick.volume, 100_000)),
        "askPx": text(tick.ask),
        "askSz": size,
        "bidPx": text(tick.bid),
        "bidSz": size,
        "open24h": text(tick.open),
        "high24h": text(tick.high),
        "low24h": text(tick.low),
        "volCcy24h": text((tick.volume * tick.open).quantize(tick.open)),
        "vol24h": text(tick.volume),
        "ts": str(tick.time_ms),
        "sodUtc0": text(tick.open),
        "sodUtc8": text(tick.open),
    }


def _instrument(name: str, listed: Market) -> dict[str, str]:
    return {
        "instType": "SPOT",
        "instId": name,
        "baseCcy": listed.pair.base,
        "quoteCcy": listed.pair.quote,
        "state": "live" if listed.trading else "suspend",
        "tickSz": text(listed.increment),
        "lotSz": "0.00000001",
        "minSz": "0.00001",
        "instFamily": "",
        "uly": "",
        "settleCcy": "",
        "listTime": "1606468572000",
        "expTime": "",
        "ruleType": "normal",
    }
