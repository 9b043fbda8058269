"""The HTTP application: each dialect below its own prefix, the reference prices, health, and the control of faults."""

from decimal import Context, Decimal
from typing import Final

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from devkit.market.dialects.alphavantage import Alphavantage
from devkit.market.dialects.binance import Binance
from devkit.market.dialects.bybit import Bybit
from devkit.market.dialects.coinbase import Coinbase
from devkit.market.dialects.coingecko import Coingecko
from devkit.market.dialects.cryptocompare import Cryptocompare
from devkit.market.dialects.dialect import Dialect, answer
from devkit.market.dialects.exchangerate_host import ExchangerateHost
from devkit.market.dialects.finnhub import Finnhub
from devkit.market.dialects.frankfurter import Frankfurter
from devkit.market.dialects.kraken import Kraken
from devkit.market.dialects.kucoin import Kucoin
from devkit.market.dialects.okx import Okx
from devkit.market.dialects.yahoofinance import Yahoofinance
from devkit.market.errors import UnknownSource
from devkit.market.faults import Fault, SourceControl, parse_fault
from devkit.market.process import Pair, PriceProcess
from devkit.market.venue import Venue
from meshkit.clock import Clock
from meshkit.errors import InvalidInput, MeshError

DIALECTS: Final[tuple[type[Dialect], ...]] = (
    Binance,
    Okx,
    Coingecko,
    Kraken,
    Coinbase,
    Cryptocompare,
    Finnhub,
    Alphavantage,
    ExchangerateHost,
    Frankfurter,
    Yahoofinance,
    Kucoin,
    Bybit,
)
_REFERENCE_DIGITS: Final = Context(prec=12)
_LATEST_MS: Final = 253_402_300_799_999


class MarketApp:
    """Serve the simulated market."""

    def __init__(self, process: PriceProcess, clock: Clock) -> None:
        self._process = process
        self._clock = clock
        self._controls = {dialect.source: SourceControl() for dialect in DIALECTS}
        self._dialects = {
            dialect.source: dialect(Venue(dialect.source, process, self._controls[dialect.source]), clock)
            for dialect in DIALECTS
        }

    def build(self) -> web.Application:
        """Return the aiohttp application."""
        app = web.Application(middlewares=[_errors])
        app.add_routes(
            [
                web.get("/healthz", self._healthz),
                web.get("/reference", self._reference),
                web.get("/control/{source}", self._show_fault),
                web.post("/control/{source}", self._set_fault),
                web.delete("/control/{source}", self._clear_fault),
            ]
        )
        for source, dialect in self._dialects.items():
            served = web.Application(middlewares=[self._faults(dialect)])
            served.add_routes(dialect.routes())
            app.add_subapp(f"/{source}", served)
        return app

    def _faults(self, dialect: Dialect) -> Middleware:
        @web.middleware
        async def misbehave(request: web.Request, handler: Handler) -> web.StreamResponse:
            control = self._controls[dialect.source]
            control.count(request.path.removeprefix(f"/{dialect.source}"))
            # A fault that is cleared while a slow answer waits still belongs to the request it met.
            fault = control.fault
            if fault.latency_ms:
                await self._clock.sleep(fault.latency_ms / 1000)
            if fault.limit:
                return _limited(dialect, fault.limit)
            if fault.replaces:
                return _replacement(fault)
            refusal = dialect.refusal(request)
            response = await handler(request) if refusal is None else refusal
            if fault.malformed and isinstance(response, web.Response) and isinstance(response.body, bytes):
                response.body = response.body[: len(response.body) // 2]
            return response

        return misbehave

    async def _healthz(self, _request: web.Request) -> web.Response:
        return answer({"status": "ok", "sources": list(self._dialects)})

    async def _reference(self, request: web.Request) -> web.Response:
        time_ms = _time_ms(request.query.get("time_ms"), self._clock.time_ms())
        texts = [text for text in request.query.get("pairs", "").split(",") if text.strip()]
        if not texts:
            raise InvalidInput("pairs", request.query.get("pairs", ""), "a comma list of BASE/QUOTE, like BTC/USD")
        prices = {str(pair): self._process.price(pair, time_ms) for pair in map(Pair.parse, texts)}
        return answer({"time_ms": time_ms, "prices": {name: _plain(price) for name, price in prices.items()}})

    def _control(self, request: web.Request) -> SourceControl:
        source = request.match_info["source"]
        if source not in self._controls:
            raise UnknownSource(source, self._controls)
        return self._controls[source]

    async def _show_fault(self, request: web.Request) -> web.Response:
        return _shown(self._control(request))

    async def _set_fault(self, request: web.Request) -> web.Response:
        control = self._control(request)
        fault = parse_fault(await request.read())
        names = self._dialects[request.match_info["source"]].limit_answers()
        if isinstance(fault.limit, str) and fault.limit not in names:
            raise InvalidInput("limit", fault.limit, f"true, false or one of {', '.join(names)}")
        control.fault = fault
        return _shown(control)

    async def _clear_fault(self, request: web.Request) -> web.Response:
        control = self._control(request)
        control.fault = Fault()
        return _shown(control)


def _limited(dialect: Dialect, name: bool | str) -> web.Response:
    answers = dialect.limit_answers()
    return answers[name] if isinstance(name, str) else next(iter(answers.values()))


def _replacement(fault: Fault) -> web.Response:
    status = 200 if fault.status is None else fault.status
    if isinstance(fault.body, str):
        return web.Response(text=fault.body, status=status)
    if "body" not in fault.model_fields_set:
        return web.Response(status=status)
    return answer(fault.body, status=status)


def _shown(control: SourceControl) -> web.Response:
    fault = control.fault.model_dump(mode="json", exclude_unset=True)
    return answer({"fault": fault, "requests": control.requests, "calls": control.calls})


def _time_ms(text: str | None, now_ms: int) -> int:
    if text is None:
        return now_ms
    if not (text.isascii() and text.isdigit()) or int(text) > _LATEST_MS:
        raise InvalidInput("time_ms", text, f"milliseconds since the epoch, 0 to {_LATEST_MS}")
    return int(text)


def _plain(price: Decimal) -> str:
    """Return a price in plain notation with twelve significant digits."""
    return format(_REFERENCE_DIGITS.plus(price), "f")


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except MeshError as error:
        body = {"error": {"reason": error.reason, "message": str(error), "metadata": error.metadata}}
        return web.Response(body=orjson.dumps(body), status=error.http_status, content_type="application/json")


def build_app(process: PriceProcess, clock: Clock) -> web.Application:
    """Return the application of a market with this process and clock."""
    return MarketApp(process, clock).build()
