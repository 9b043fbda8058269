"""Alpha Vantage: one endpoint with functions, numbered field names, every failure inside HTTP 200."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Final

from aiohttp import web

from devkit.market.assets import ASSETS, FIAT, STOCKS, TOKENS
from devkit.market.dialects.dialect import REFUSED_KEY, Dialect, answer, text
from devkit.market.process import Pair
from devkit.market.venue import Market, Venue, market
from meshkit.clock import Clock

QUOTES: Final = ("USD", "EUR", "GBP", "JPY", "BTC", "ETH")
_DEMO: Final = "The **demo** API key is for demo purposes only. Please claim your free API key."
_DAILY: Final = (
    "We have detected your API key and our standard API rate limit is 25 requests per day. "
    "Please subscribe to any of the premium plans to instantly remove all daily rate limits."
)
_BURST: Final = (
    "Thank you for using Alpha Vantage! Please consider spreading out your free API requests more sparingly "
    "(1 request per second)."
)
_FREQUENCY: Final = "Thank you for using Alpha Vantage! Our standard API call frequency is 5 calls per minute."


@cache
def _listing() -> dict[str, Market]:
    pairs = [Pair(base, quote) for base in (*TOKENS, *sorted(FIAT)) for quote in QUOTES if base != quote]
    return {f"{pair.base}/{pair.quote}": market(pair, most_decimals=8) for pair in pairs}


class Alphavantage(Dialect):
    """Speak Alpha Vantage; a key is needed, in the query."""

    source = "alphavantage"

    def __init__(self, venue: Venue, clock: Clock) -> None:
        super().__init__(venue, clock)
        self.markets = _listing()

    def routes(self) -> Sequence[web.RouteDef]:
        """Return the paths and their handlers."""
        return (
            web.get("/query", self._query),
            web.get("/physical_currency_list/", self._physical),
            web.get("/digital_currency_list/", self._digital),
        )

    def limit_answers(self) -> Mapping[str, web.Response]:
        """Return the daily limit, the guard against bursts, and the form that both had in the past; all HTTP 200."""
        return {
            "daily": answer({"Information": _DAILY}),
            "burst": answer({"Information": _BURST}),
            "note": answer({"Note": _FREQUENCY}),
        }

    def refusal(self, request: web.Request) -> web.Response | None:
        """Refuse queries without a valid key."""
        if not request.path.endswith("/query"):
            return None
        key = request.query.get("apikey", "")
        if key == "demo":
            return answer({"Information": _DEMO})
        if key in ("", REFUSED_KEY):
            return _invalid("the parameter apikey is invalid or missing.")
        return None

    async def _query(self, request: web.Request) -> web.Response:
        match request.query.get("function"):
            case "CURRENCY_EXCHANGE_RATE":
                return self._exchange_rate(request.query.get("from_currency", ""), request.query.get("to_currency", ""))
            case "GLOBAL_QUOTE":
                return self._global_quote(request.query.get("symbol", ""))
            case _:
                return _invalid("This API function () does not exist.")

    def _exchange_rate(self, base: str, quote: str) -> web.Response:
        listed = self.markets.get(f"{base.upper()}/{quote.upper()}")
        if listed is None:
            return _invalid("Please retry or visit the documentation for CURRENCY_EXCHANGE_RATE.")
        tick = self.tick(listed)
        pair = listed.pair
        rate = {
            "1. From_Currency Code": pair.base,
            "2. From_Currency Name": pair.base.title(),
            "3. To_Currency Code": pair.quote,
            "4. To_Currency Name": pair.quote.title(),
            "5. Exchange Rate": _eight(tick.last),
            "6. Last Refreshed": f"{datetime.fromtimestamp(tick.time_ms // 1000, UTC):%Y-%m-%d %H:%M:%S}",
            "7. Time Zone": "UTC",
            "8. Bid Price": _eight(tick.bid),
            "9. Ask Price": _eight(tick.ask),
        }
        return answer({"Realtime Currency Exchange Rate": rate})

    def _global_quote(self, symbol: str) -> web.Response:
        if symbol not in STOCKS:
            return answer({"Global Quote": {}})
        tick = self.tick(market(Pair(symbol, "USD"), most_decimals=4))
        change = tick.last - tick.open
        quote = {
            "01. symbol": symbol,
            "02. open": text(tick.open),
            "03. high": text(tick.high),
            "04. low": text(tick.low),
            "05. price": text(tick.last),
            "06. volume": format(tick.volume, ".0f"),
            "07. latest trading day": f"{datetime.fromtimestamp(tick.time_ms // 1000, UTC):%Y-%m-%d}",
            "08. previous close": text(tick.open),
            "09. change": text(change),
            "10. change percent": format(change * 100 / tick.open, ".4f") + "%",
        }
        return answer({"Global Quote": quote})

    async def _physical(self, _request: web.Request) -> web.Response:
        return _csv(sorted(FIAT))

    async def _digital(self, _request: web.Request) -> web.Response:
        return _csv([symbol for symbol in ASSETS if symbol in TOKENS])


def _invalid(text_: str) -> web.Response:
    return answer({"Error Message": f"Invalid API call. {text_}"})


def _eight(price: Decimal) -> str:
    return format(price, ".8f")


def _csv(symbols: Sequence[str]) -> web.Response:
    rows = ["currency code,currency name", *(f"{symbol},{symbol.title()}" for symbol in symbols)]
    return web.Response(text="\r\n".join(rows) + "\r\n", content_type="application/x-download")
