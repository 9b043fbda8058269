"""Yahoo Finance, unofficial: charts by ticker with a currency that must be looked at, batches behind a crumb."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Final

from aiohttp import web

from devkit.market.assets import FIAT, STOCKS
from devkit.market.dialects.dialect import Dialect, answer, number
from devkit.market.process import Pair
from devkit.market.venue import Market, Tick, Venue, market
from meshkit.clock import Clock

CRUMB: Final = "q0r.Sim/crumb"
COOKIE: Final = "A3"
PENCE: Final = frozenset({"VOD.L"})
"""Lines quoted in hundredths of their market's currency (GBp)."""
_ELSEWHERE: Final = {
    "C3M.PA": Pair("C3M", "EUR"),
    "CSPX.L": Pair("CSPX", "USD"),
    "IB01.L": Pair("IB01", "USD"),
    "IBTA.L": Pair("IBTA", "USD"),
    "VOD.L": Pair("VOD", "GBP"),
}
_CRYPTO: Final = ("BTC", "ETH", "SOL", "BNB", "XRP", "ADA", "DOGE", "LTC", "LINK", "USDT", "USDC")


@cache
def _listing() -> dict[str, Market]:
    abroad = {pair.base for pair in _ELSEWHERE.values()}
    pairs = {symbol: Pair(symbol, "USD") for symbol in sorted(STOCKS - abroad)} | _ELSEWHERE
    pairs |= {f"{base}-{quote}": Pair(base, quote) for base in _CRYPTO for quote in ("USD", "EUR")}
    for code in sorted(FIAT - {"USD"}):
        pairs |= {f"{code}USD=X": Pair(code, "USD"), f"USD{code}=X": Pair("USD", code), f"{code}=X": Pair("USD", code)}
    return {name: market(pair, most_decimals=8) for name, pair in pairs.items()}


class Yahoofinance(Dialect):
    """Speak Yahoo Finance; the market never closes."""

    source = "yahoofinance"

    def __init__(self, venue: Venue, clock: Clock) -> None:
        super().__init__(venue, clock)
        self.markets = _listing()

    def routes(self) -> Sequence[web.RouteDef]:
        """Return the paths and their handlers."""
        return (
            web.get("/v8/finance/chart/{symbol}", self._chart),
            web.get("/v7/finance/spark", self._spark),
            web.get("/v7/finance/quote", self._quote),
            web.get("/v1/test/getcrumb", self._crumb),
        )

    def limit_answers(self) -> Mapping[str, web.Response]:
        """Return HTTP 429 in plain text."""
        return {"requests": web.Response(text="Too Many Requests", status=429)}

    def refusal(self, request: web.Request) -> web.Response | None:
        """Refuse clients that do not say who they are, as if they had asked too much."""
        return None if request.headers.get("User-Agent") else self.limit_answers()["requests"]

    async def _chart(self, request: web.Request) -> web.Response:
        name = request.match_info["symbol"]
        if name not in self.markets:
            missing = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
            return answer({"chart": {"result": None, "error": missing}}, status=404)
        return answer({"chart": {"result": [self._result(name)], "error": None}})

    async def _spark(self, request: web.Request) -> web.Response:
        names = [name for name in request.query.get("symbols", "").split(",") if name in self.markets]
        if not names:
            missing = {"code": "Not Found", "description": "No data found for spark symbols"}
            return answer({"spark": {"result": None, "error": missing}}, status=404)
        rows = [{"symbol": name, "response": [self._result(name)]} for name in names]
        return answer({"spark": {"result": rows, "error": None}})

    async def _quote(self, request: web.Request) -> web.Response:
        if request.query.get("crumb") != CRUMB or not request.cookies.get(COOKIE):
            refused = {"code": "Unauthorized", "description": "Invalid Crumb"}
            return answer({"finance": {"result": None, "error": refused}}, status=401)
        names = [name for name in request.query.get("symbols", "").split(",") if name in self.markets]
        return answer({"quoteResponse": {"result": [self._meta(name) for name in names], "error": None}})

    async def _crumb(self, _request: web.Request) -> web.Response:
        response = web.Response(text=CRUMB)
        response.set_cookie(COOKIE, "d=simulated", path="/")
        return response

    def _result(self, name: str) -> dict[str, object]:
        tick = self.tick(self.markets[name])
        price = _price(name, tick)
        bars = {"open": [number(_scaled(name, tick.open))], "close": [price], "volume": [int(tick.volume)]}
        return {
            "meta": self._meta(name),
            "timestamp": [tick.time_ms // 1000],
            "indicators": {"quote": [bars], "adjclose": [{"adjclose": [price]}]},
        }

    def _meta(self, name: str) -> dict[str, object]:
        listed = self.markets[name]
        tick = self.tick(listed)
        kind, exchange, zone = _place(name)
        return {
            "currency": self.venue.control.fault.currency or ("GBp" if name in PENCE else listed.pair.quote),
            "symbol": name,
            "exchangeName": exchange,
            "instrumentType": kind,
            "quoteType": kind,
            "regularMarketTime": tick.time_ms // 1000,
            "regularMarketPrice": _price(name, tick),
            "exchangeTimezoneName": zone,
            "marketState": "REGULAR",
            "previousClose": number(_scaled(name, tick.open)),
            "chartPreviousClose": number(_scaled(name, tick.open)),
            "priceHint": listed.decimals,
        }


def _scaled(name: str, price: Decimal) -> Decimal:
    return price * 100 if name in PENCE else price


def _price(name: str, tick: Tick) -> object:
    return number(_scaled(name, tick.last))


def _place(name: str) -> tuple[str, str, str]:
    """Return instrument type, exchange and time zone."""
    if name.endswith("=X"):
        return "CURRENCY", "CCY", "Europe/London"
    if name.endswith(".L"):
        return "EQUITY", "LSE", "Europe/London"
    if name.endswith(".PA"):
        return "ETF", "PAR", "Europe/Paris"
    return ("CRYPTOCURRENCY", "CCC", "UTC") if "-" in name else ("EQUITY", "NMS", "America/New_York")
