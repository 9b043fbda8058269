"""exchangerate.host: many currencies of one source a call, keys of six letters, every failure inside HTTP 200."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final

from aiohttp import web

from devkit.market.assets import FIAT
from devkit.market.dialects.dialect import REFUSED_KEY, Dialect, answer, number
from devkit.market.process import Pair
from devkit.market.venue import Market, Venue, market
from meshkit.clock import Clock

CURRENCIES: Final = (*sorted(FIAT), "BTC")
REFRESH_MS: Final = 60_000


@cache
def _listing() -> dict[str, Market]:
    return {
        base + quote: market(Pair(base, quote), most_decimals=10)
        for base in CURRENCIES
        for quote in CURRENCIES
        if base != quote
    }


class ExchangerateHost(Dialect):
    """Speak exchangerate.host; an access_key is needed, in the query."""

    source = "exchangeratehost"

    def __init__(self, venue: Venue, clock: Clock) -> None:
        super().__init__(venue, clock)
        self.markets = _listing()

    def routes(self) -> Sequence[web.RouteDef]:
        """Return the paths and their handlers."""
        return (web.get("/live", self._live), web.get("/list", self._list))

    def limit_answers(self) -> Mapping[str, web.Response]:
        """Return code 104, the monthly quota, and HTTP 429."""
        quota = "Your monthly usage limit has been reached. Please upgrade your subscription plan."
        often = "You have exceeded the rate limit. Please try again later."
        return {
            "quota": _error(104, "usage_limit_reached", quota),
            "rate": _error(106, "rate_limit_reached", often, status=429),
        }

    def refusal(self, request: web.Request) -> web.Response | None:
        """Refuse requests without a valid key."""
        key = request.query.get("access_key", "")
        if not key:
            return _error(101, "missing_access_key", "You have not supplied an API Access Key.")
        if key == REFUSED_KEY:
            return _error(101, "invalid_access_key", "You have not supplied a valid API Access Key.")
        return None

    async def _list(self, _request: web.Request) -> web.Response:
        return answer({"success": True, **_LEGAL, "currencies": {code: code.title() for code in CURRENCIES}})

    async def _live(self, request: web.Request) -> web.Response:
        base = request.query.get("source", "USD").upper()
        if base not in CURRENCIES:
            return _error(201, "invalid_source_currency", "You have supplied an invalid Source Currency.")
        wanted = [code.strip().upper() for code in request.query.get("currencies", "").split(",") if code.strip()]
        known = [code for code in wanted or CURRENCIES if code in CURRENCIES]
        if not known:
            return _error(202, "invalid_currency_codes", "You have provided one or more invalid Currency Codes.")
        now_ms = self.clock.time_ms()
        taken_ms = now_ms - now_ms % REFRESH_MS
        names = [base + code for code in known if code != base]
        quotes = {name: number(self.venue.tick(self.markets[name], taken_ms).last) for name in names}
        body = {"timestamp": self.venue.stamp_ms(taken_ms) // 1000, "source": base, "quotes": quotes}
        return answer({"success": True, **_LEGAL, **body})


_LEGAL: Final = {"terms": "https://exchangerate.host/terms", "privacy": "https://exchangerate.host/privacy"}


def _error(code: int, kind: str, info: str, *, status: int = 200) -> web.Response:
    return answer({"success": False, "error": {"code": code, "type": kind, "info": info}}, status=status)
