"""Frankfurter: the reference rates of central banks, one a working day, in the frozen version 1 and in version 2."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal
from functools import cache
from typing import Final

from aiohttp import web

from devkit.market.assets import FIAT
from devkit.market.dialects.dialect import Dialect, answer, number, rounded
from devkit.market.process import Pair
from devkit.market.venue import Market, Venue, market
from meshkit.clock import Clock

FIXING: Final = time(14, 15, tzinfo=UTC)
"""When the rates of a working day come out."""
_BLENDED_ONLY: Final = frozenset({"COP"})
_V1: Final = tuple(sorted(FIAT - _BLENDED_ONLY))
_V2: Final = tuple(sorted(FIAT))
_DIGITS: Final = Context(prec=6)


def rate_date(now_ms: int) -> date:
    """Return the latest working day whose rates are out."""
    now = datetime.fromtimestamp(now_ms // 1000, UTC)
    day = now.date() if now.timetz() >= FIXING else now.date() - timedelta(days=1)
    return day - timedelta(days=max(0, day.weekday() - 4))


@cache
def _listing() -> dict[str, Market]:
    return {
        f"{base}/{quote}": market(Pair(base, quote), most_decimals=10) for base in _V2 for quote in _V2 if base != quote
    }


class Frankfurter(Dialect):
    """Speak Frankfurter."""

    source = "frankfurter"

    def __init__(self, venue: Venue, clock: Clock) -> None:
        super().__init__(venue, clock)
        self.markets = _listing()

    def routes(self) -> Sequence[web.RouteDef]:
        """Return the paths and their handlers."""
        return (
            web.get("/v1/latest", self._latest),
            web.get("/v1/currencies", self._currencies_v1),
            web.get("/v2/rates", self._rates),
            web.get("/v2/rate/{base}/{quote}", self._rate),
            web.get("/v2/currencies", self._currencies_v2),
        )

    def limit_answers(self) -> Mapping[str, web.Response]:
        """Return HTTP 429; the documentation tells no body."""
        return {"requests": answer({"status": 429, "message": "too many requests"}, status=429)}

    def _value(self, base: str, quote: str, day: date) -> object:
        """Return a day's rate: six digits, and 1 of a currency against itself."""
        if base == quote:
            return number(Decimal("1.0"))
        fixing_ms = int(datetime.combine(day, FIXING).timestamp()) * 1000
        last = self.venue.tick(self.markets[f"{base}/{quote}"], fixing_ms).last
        return number(rounded(last, _DIGITS))

    def _dates(self) -> tuple[date, date]:
        """Return the day of the rates and the day that the answer tells."""
        now_ms = self.clock.time_ms()
        return rate_date(now_ms), rate_date(self.venue.stamp_ms(now_ms))

    async def _latest(self, request: web.Request) -> web.Response:
        query = request.query
        base = query.get("base", query.get("from", "EUR")).upper()
        wanted = _codes(query.get("symbols", query.get("to", "")))
        quotes = [code for code in wanted or _V1 if code in _V1 and code != base]
        if base not in _V1:
            return answer({"message": "not found"}, status=404)
        if wanted == [base]:
            return answer({"message": "bad currency pair"}, status=422)
        if not quotes:
            return answer({"message": "not found"}, status=404)
        day, told = self._dates()
        rates = {quote: self._value(base, quote, day) for quote in sorted(quotes)}
        return answer({"amount": 1.0, "base": base, "date": told.isoformat(), "rates": rates})

    async def _currencies_v1(self, _request: web.Request) -> web.Response:
        return answer({code: code.title() for code in _V1})

    async def _rates(self, request: web.Request) -> web.Response:
        base = request.query.get("base", "EUR").upper()
        wanted = _codes(request.query.get("quotes", ""))
        if base not in _V2 or any(code not in _V2 for code in wanted):
            return _error(404, "not found")
        return answer([self._row(base, quote) for quote in wanted or _V2])

    async def _rate(self, request: web.Request) -> web.Response:
        base, quote = (request.match_info[name].upper() for name in ("base", "quote"))
        return answer(self._row(base, quote)) if base in _V2 and quote in _V2 else _error(404, "not found")

    def _row(self, base: str, quote: str) -> dict[str, object]:
        day, told = self._dates()
        return {"date": told.isoformat(), "base": base, "quote": quote, "rate": self._value(base, quote, day)}

    async def _currencies_v2(self, _request: web.Request) -> web.Response:
        rows = [
            {"iso_code": c, "name": c.title(), "start_date": "1999-01-04", "end_date": rate_date(self.stamp_ms())}
            for c in _V2
        ]
        return answer(rows)


def _codes(text: str) -> list[str]:
    return [code.strip().upper() for code in text.split(",") if code.strip()]


def _error(status: int, message: str) -> web.Response:
    return answer({"status": status, "message": message}, status=status)
