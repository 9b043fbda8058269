"""Finnhub: shares, currencies and crypto by prefixed symbol, JSON numbers, all zeros for what is unknown."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Final

from aiohttp import web

from devkit.market.assets import FIAT, STOCKS, TOKENS
from devkit.market.dialects.dialect import REFUSED_KEY, Dialect, answer, number
from devkit.market.process import Pair
from devkit.market.venue import Market, Venue, market
from meshkit.clock import Clock

LIMIT_TEXT: Final = "API limit reached. Please try again later. Remaining Limit: 0"


@cache
def _listing() -> dict[str, Market]:
    pairs = {f"BINANCE:{base}USDT": Pair(base, "USDT") for base in TOKENS if base != "USDT"}
    pairs |= {f"OANDA:{base}_USD": Pair(base, "USD") for base in sorted(FIAT) if base != "USD"}
    pairs |= {f"OANDA:USD_{quote}": Pair("USD", quote) for quote in ("JPY", "CAD", "CHF", "CNY")}
    pairs |= {symbol: Pair(symbol, "USD") for symbol in sorted(STOCKS - {"VOD", "C3M"})}
    return {name: market(pair, most_decimals=10) for name, pair in pairs.items()}


class Finnhub(Dialect):
    """Speak Finnhub; a key is needed, as a header or in the query."""

    source = "finnhub"

    def __init__(self, venue: Venue, clock: Clock) -> None:
        super().__init__(venue, clock)
        self.markets = _listing()

    def routes(self) -> Sequence[web.RouteDef]:
        """Return the paths and their handlers."""
        return (
            web.get("/api/v1/quote", self._quote),
            web.get("/api/v1/crypto/symbol", self._crypto),
            web.get("/api/v1/forex/symbol", self._forex),
            web.get("/api/v1/stock/symbol", self._stock),
        )

    def limit_answers(self) -> Mapping[str, web.Response]:
        """Return HTTP 429, and the same body with HTTP 200 as it was seen."""
        body = {"error": LIMIT_TEXT}
        return {"calls": answer(body, status=429), "quiet": answer(body)}

    def refusal(self, request: web.Request) -> web.Response | None:
        """Refuse requests without a valid key."""
        key = request.headers.get("X-Finnhub-Token") or request.query.get("token", "")
        if not key:
            return answer({"error": "Please use an API key."}, status=401)
        return answer({"error": "Invalid API key"}, status=401) if key == REFUSED_KEY else None

    async def _quote(self, request: web.Request) -> web.Response:
        symbol = request.query.get("symbol", "")
        if ":" not in symbol and "." in symbol:
            # Exchanges abroad are for paying customers.
            return answer({"error": "You don't have access to this resource."}, status=403)
        listed = self.markets.get(symbol)
        if listed is None:
            return answer({"c": 0, "d": None, "dp": None, "h": 0, "l": 0, "o": 0, "pc": 0, "t": 0})
        tick = self.tick(listed)
        change = tick.last - tick.open
        return answer(
            {
                "c": number(tick.last),
                "d": number(change),
                "dp": number(Decimal(format(change * 100 / tick.open, ".4f"))),
                "h": number(tick.high),
                "l": number(tick.low),
                "o": number(tick.open),
                "pc": number(tick.open),
                "t": tick.time_ms // 1000,
            }
        )

    async def _crypto(self, request: web.Request) -> web.Response:
        return self._symbols("BINANCE:" if request.query.get("exchange") == "BINANCE" else None)

    async def _forex(self, request: web.Request) -> web.Response:
        return self._symbols("OANDA:" if request.query.get("exchange", "").lower() == "oanda" else None)

    async def _stock(self, request: web.Request) -> web.Response:
        return self._symbols("" if request.query.get("exchange") == "US" else None)

    def _symbols(self, prefix: str | None) -> web.Response:
        """Return the symbols with a prefix: the empty one is that of shares, None gives none."""
        rows = [
            {
                "description": f"{name.partition(':')[0].title()} {listed.pair}" if prefix else name,
                "displaySymbol": str(listed.pair) if prefix else name,
                "symbol": name,
            }
            for name, listed in self.markets.items()
            if prefix is not None and (name.startswith(prefix) if prefix else ":" not in name)
        ]
        return answer(rows)
