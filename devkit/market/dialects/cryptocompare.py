"""CryptoCompare, now CoinDesk Data: the legacy API with its rounded numbers and the data API with the CADLI index."""

from collections.abc import Mapping, Sequence
from decimal import Context, Decimal
from functools import cache
from typing import Final

from aiohttp import web

from devkit.market.assets import FIAT, TOKENS
from devkit.market.dialects.dialect import REFUSED_KEY, Dialect, answer, number, rounded
from devkit.market.process import Pair
from devkit.market.venue import Market, Tick, Venue, market
from meshkit.clock import Clock

QUOTES: Final = ("USD", "EUR", "GBP", "USDT", "BTC", "ETH", "BNB")
_LEGACY: Final = Context(prec=4)
_MOST_FSYMS: Final = 300
_MOST_TSYMS: Final = 100


@cache
def _listing() -> dict[str, Market]:
    bases = (*TOKENS, *sorted(FIAT))
    pairs = [Pair(base, quote) for base in bases for quote in QUOTES if base != quote]
    return {f"{pair.base}-{pair.quote}": market(pair, most_decimals=14) for pair in pairs}


class Cryptocompare(Dialect):
    """Speak CryptoCompare; a key is needed everywhere, as a header or in the query."""

    source = "cryptocompare"

    def __init__(self, venue: Venue, clock: Clock) -> None:
        super().__init__(venue, clock)
        self.markets = _listing()

    def routes(self) -> Sequence[web.RouteDef]:
        """Return the paths and their handlers."""
        return (
            web.get("/index/cc/v1/latest/tick", self._latest),
            web.get("/index/cc/v1/markets/instruments", self._instruments),
            web.get("/data/price", self._price),
            web.get("/data/pricemulti", self._price_multi),
            web.get("/data/v4/all/exchanges", self._exchanges),
        )

    def limit_answers(self) -> Mapping[str, web.Response]:
        """Return the legacy answer, HTTP 200 with Type 99, and HTTP 429 of the data API."""
        calls = {"second": 51, "minute": 400, "hour": 1200}
        legacy = {
            "Response": "Error",
            "Message": "You are over your rate limit please upgrade your account!",
            "HasWarning": False,
            "Type": 99,
            "RateLimit": {"calls_made": calls, "max_calls": {"second": 50, "minute": 2500, "hour": 25000}},
            "Data": {},
        }
        text = "You are over your rate limit please upgrade your account!"
        return {"legacy": answer(legacy), "data": _error(429, 99, text)}

    def refusal(self, request: web.Request) -> web.Response | None:
        """Refuse requests without a key: there is no free tier."""
        word, _, key = request.headers.get("Authorization", "").partition(" ")
        given = key.strip() if word.lower() == "apikey" else request.query.get("api_key", "")
        if not given:
            return _error(401, 2, "API key required, please provide a valid API key.")
        return _error(401, 2, "API key invalid, please check your key.") if given == REFUSED_KEY else None

    async def _latest(self, request: web.Request) -> web.Response:
        if request.query.get("market") != "cadli":
            return _error(404, 1, "Market not found.")
        names = [name for name in request.query.get("instruments", "").split(",") if name]
        if not names:
            return _error(400, 1, "instruments parameter is required.")
        known = [name for name in names if name in self.markets]
        if not known:
            return _error(404, 1, f"Instruments not found: {', '.join(names)}")
        return answer({"Data": {n: value(n, self.markets[n], self.tick(self.markets[n])) for n in known}, "Err": {}})

    async def _instruments(self, request: web.Request) -> web.Response:
        if request.query.get("market", "cadli") != "cadli":
            return _error(404, 1, "Market not found.")
        listed = {name: {"TYPE": "266", "INSTRUMENT": name, "INSTRUMENT_STATUS": "ACTIVE"} for name in self.markets}
        return answer({"Data": {"cadli": {"TYPE": "265", "MARKET_STATUS": "ACTIVE", "instruments": listed}}, "Err": {}})

    async def _exchanges(self, _request: web.Request) -> web.Response:
        pairs: dict[str, dict[str, object]] = {}
        for listed in self.markets.values():
            pairs.setdefault(listed.pair.base, {"tsyms": {}})
            quotes = pairs[listed.pair.base]["tsyms"]
            if isinstance(quotes, dict):
                quotes[listed.pair.quote] = {"histo_minute_start": "2020-01-01"}
        data = {"exchanges": {"CCCAGG": {"isActive": True, "isTopTier": True, "pairs": pairs}}}
        return answer({"Response": "Success", "Message": "", "HasWarning": False, "Type": 100, "Data": data})

    async def _price(self, request: web.Request) -> web.Response:
        bases, quotes = request.query.get("fsym", ""), request.query.get("tsyms", "")
        rows = self._matrix([bases], quotes.split(","))
        return answer(rows[bases]) if rows else _no_market([bases], quotes)

    async def _price_multi(self, request: web.Request) -> web.Response:
        bases, quotes = request.query.get("fsyms", ""), request.query.get("tsyms", "")
        for name, given, most in (("fsyms", bases, _MOST_FSYMS), ("tsyms", quotes, _MOST_TSYMS)):
            if len(given) > most:
                return _legacy_error(f"{name} param is invalid. (length is over {most} characters)")
        rows = self._matrix(bases.split(","), quotes.split(","))
        return answer(rows) if rows else _no_market(bases.split(","), quotes)

    def _matrix(self, bases: Sequence[str], quotes: Sequence[str]) -> dict[str, dict[str, object]]:
        """Return the prices of all listed pairs of the cross product, with four digits."""
        rows: dict[str, dict[str, object]] = {}
        for base in bases:
            for quote in quotes:
                if (listed := self.markets.get(f"{base}-{quote}")) is not None:
                    rows.setdefault(base, {})[quote] = number(_rounded(self.tick(listed).last))
        return rows


def value(name: str, listed: Market, tick: Tick) -> dict[str, object]:
    """Return the index value of an instrument, as REST and streams have it."""
    return {
        "TYPE": "266",
        "MARKET": "cadli",
        "INSTRUMENT": name,
        "CCSEQ": tick.trade_id,
        "VALUE": number(tick.last),
        "VALUE_FLAG": "UP",
        "VALUE_LAST_UPDATE_TS": tick.time_ms // 1000,
        "VALUE_LAST_UPDATE_TS_NS": tick.time_ms % 1000 * 1_000_000,
        "BASE": listed.pair.base,
        "QUOTE": listed.pair.quote,
    }


def _error(status: int, kind: int, message: str) -> web.Response:
    return answer(
        {"Data": {}, "Err": {"type": kind, "message": message, "http_status_code": status, "other_info": {}}},
        status=status,
    )


def _legacy_error(message: str) -> web.Response:
    return answer(
        {"Response": "Error", "Message": message, "HasWarning": False, "Type": 1, "RateLimit": {}, "Data": {}}
    )


def _no_market(bases: Sequence[str], quotes: str) -> web.Response:
    names = ",".join(f"{base}-{quotes}" for base in bases)
    return _legacy_error(f"cccagg_or_exchange market does not exist for this coin pair ({names})")


def _rounded(price: Decimal) -> Decimal:
    """Return the legacy form: four digits, of prices from 100 the two after the point."""
    return rounded(price, Context(prec=max(4, price.adjusted() + 3)) if price.is_finite() else _LEGACY)
