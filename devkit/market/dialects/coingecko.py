"""CoinGecko API v3: coins by id against currencies in lower case, JSON numbers, absence for what is unknown."""

from collections.abc import Mapping, Sequence
from decimal import Context
from functools import cache
from typing import Final

from aiohttp import web

from devkit.market.dialects.coins import COINS
from devkit.market.dialects.dialect import REFUSED_KEY, Dialect, answer, number, rounded
from devkit.market.process import Pair
from devkit.market.venue import Market, Venue, market
from meshkit.clock import Clock

REFRESH_MS: Final = 20_000
"""Prices are those of the last refresh."""
RETRY_AFTER_S: Final = 60
_CURRENCIES: Final = """
    btc eth ltc bch bnb xrp xlm link dot yfi sol usd aud brl cad chf cny eur gbp ils inr jpy krw mxn nzd php pln sek sgd
    thb try zar
"""
CURRENCIES: Final = tuple(_CURRENCIES.split())
_ROUNDED: Final = Context(prec=6)
_KEYS: Final = ("x-cg-demo-api-key", "x-cg-pro-api-key")


@cache
def _listing() -> dict[str, Market]:
    return {
        f"{coin}/{currency}": market(Pair(symbol, currency.upper()), most_decimals=18)
        for coin, symbol in COINS.items()
        for currency in CURRENCIES
    }


class Coingecko(Dialect):
    """Speak CoinGecko; keys are optional, as headers or in the query."""

    source = "coingecko"

    def __init__(self, venue: Venue, clock: Clock) -> None:
        super().__init__(venue, clock)
        self.markets = _listing()

    def routes(self) -> Sequence[web.RouteDef]:
        """Return the paths and their handlers."""
        return (
            web.get("/api/v3/ping", self._ping),
            web.get("/api/v3/simple/price", self._price),
            web.get("/api/v3/simple/supported_vs_currencies", self._currencies),
            web.get("/api/v3/coins/list", self._coins),
            web.get("/api/v3/global", self._global),
        )

    def limit_answers(self) -> Mapping[str, web.Response]:
        """Return HTTP 429 in the three forms of its errors, the first with retry-after, and the refusal of the CDN."""
        status = {"error_code": 429, "error_message": "You've exceeded the Rate Limit. Please visit the pricing page."}
        return {
            "calls": answer({"status": status}, status=429, headers={"retry-after": str(RETRY_AFTER_S)}),
            "nested": answer({"error": {"status": status}}, status=429),
            "plain": answer({"error": "Throttled"}, status=429),
            "cdn": web.Response(text="error code: 1020", status=403),
        }

    def refusal(self, request: web.Request) -> web.Response | None:
        """Refuse only a key that is wrong."""
        keys = [request.headers.get(name) or request.query.get(name.replace("-", "_")) for name in _KEYS]
        if REFUSED_KEY not in keys:
            return None
        return answer({"status": {"error_code": 10002, "error_message": "API Key Missing"}}, status=401)

    async def _ping(self, _request: web.Request) -> web.Response:
        return answer({"gecko_says": "(V3) To the Moon!"})

    async def _currencies(self, _request: web.Request) -> web.Response:
        return answer(CURRENCIES)

    async def _coins(self, _request: web.Request) -> web.Response:
        rows = [{"id": c, "symbol": s.lower(), "name": c.replace("-", " ").title()} for c, s in COINS.items()]
        return answer(rows)

    async def _price(self, request: web.Request) -> web.Response:
        currencies = _names(request, "vs_currencies")
        if not currencies:
            return answer({"error": "Missing parameter vs_currencies"}, status=422)
        coins = [coin for coin in _names(request, "ids") if coin in COINS]
        full = request.query.get("precision") == "full"
        with_time = request.query.get("include_last_updated_at") == "true"
        now_ms = self.clock.time_ms()
        taken_ms = now_ms - now_ms % REFRESH_MS
        return answer({coin: self._coin(coin, currencies, taken_ms, full, with_time) for coin in coins})

    def _coin(
        self, coin: str, currencies: Sequence[str], taken_ms: int, full: bool, with_time: bool
    ) -> dict[str, object]:
        row: dict[str, object] = {}
        for currency in currencies:
            listed = self.markets.get(f"{coin}/{currency.lower()}")
            if listed is not None:
                last = self.venue.tick(listed, taken_ms).last
                row[currency.lower()] = number(last if full else rounded(last, _ROUNDED))
        if with_time:
            fault = self.venue.control.fault
            late_ms = (
                fault.shift_ms if fault.pairs is None or any(p.startswith(COINS[coin]) for p in fault.pairs) else 0
            )
            row["last_updated_at"] = (taken_ms + late_ms) // 1000
        return row

    async def _global(self, _request: web.Request) -> web.Response:
        now_ms = self.clock.time_ms()
        dollars = market(Pair("BTC", "USD"), most_decimals=2)
        cap = self.venue.tick(dollars, now_ms - now_ms % REFRESH_MS).last * 19_700_000
        data = {
            "active_cryptocurrencies": len(COINS),
            "markets": 1476,
            "total_market_cap": {"usd": number(cap)},
            "total_volume": {"usd": number(cap / 20)},
            "market_cap_percentage": {"btc": 57.95, "eth": 12.05},
            "market_cap_change_percentage_24h_usd": -1.6,
            "updated_at": self.stamp_ms() // 1000,
        }
        return answer({"data": data})


def _names(request: web.Request, parameter: str) -> list[str]:
    return list(dict.fromkeys(name.strip() for name in request.query.get(parameter, "").split(",") if name.strip()))
