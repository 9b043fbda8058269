"""The HTTP application: each dialect below its own prefix, the reference prices, health, and the control of faults."""

from decimal import Context, Decimal
from email.utils import formatdate
from typing import Final

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from devkit.market.control import Control, Source
from devkit.market.dialects.dialect import Dialect, answer
from devkit.market.faults import Fault, SourceControl
from devkit.market.odd_bodies import spoiled
from devkit.market.process import Pair, PriceProcess
from devkit.market.sources import DIALECTS, STREAMS
from devkit.market.streams.hub import Hub
from devkit.market.venue import Venue
from meshkit.clock import Clock
from meshkit.errors import InvalidInput, MeshError

_REFERENCE_DIGITS: Final = Context(prec=12)
_LATEST_MS: Final = 253_402_300_799_999


class MarketApp:
    """Serve the simulated market."""

    def __init__(self, process: PriceProcess, clock: Clock) -> None:
        self._process = process
        self._clock = clock
        self._sources = {kind.source: self._source(kind) for kind in DIALECTS}

    def _source(self, kind: type[Dialect]) -> Source:
        control = SourceControl()
        dialect = kind(Venue(kind.source, self._process, control), self._clock)
        streams = [stream(dialect) for stream in STREAMS.get(kind.source, ())]
        return Source(dialect, control, [Hub(s, control, self._clock, self._process.tick_ms) for s in streams])

    def build(self) -> web.Application:
        """Return the aiohttp application."""
        app = web.Application(middlewares=[_errors])
        app.add_routes([web.get("/healthz", self._healthz), web.get("/reference", self._reference)])
        app.add_routes(Control(self._sources).routes())
        for name, source in self._sources.items():
            served = web.Application(middlewares=[self._faults(source)])
            served.add_routes(source.dialect.routes())
            for hub in source.hubs:
                served.add_routes(hub.routes())
            app.add_subapp(f"/{name}", served)
        app.on_shutdown.append(self._hang_up)
        return app

    async def _hang_up(self, _app: web.Application) -> None:
        for source in self._sources.values():
            for hub in source.hubs:
                await hub.disconnect(code=1001)

    def _faults(self, source: Source) -> Middleware:
        dialect, control = source.dialect, source.control

        @web.middleware
        async def misbehave(request: web.Request, handler: Handler) -> web.StreamResponse:
            connects = request.headers.get("Upgrade", "").lower() == "websocket"
            if not connects:
                control.count(request.path.removeprefix(f"/{dialect.source}"))
            # A fault that is cleared while a slow answer waits still belongs to the request it met.
            fault = control.fault
            if fault.latency_ms:
                await self._clock.sleep(fault.latency_ms / 1000)
            if fault.limit:
                return _limited(dialect, fault)
            if fault.replaces:
                return _replacement(fault)
            refusal = None if connects else dialect.refusal(request)
            response = await handler(request) if refusal is None else refusal
            response.headers["Date"] = formatdate(self._clock.time_ms() / 1000 - fault.age_s, usegmt=True)
            if fault.age_s:
                response.headers["Age"] = str(fault.age_s)
            if isinstance(response, web.Response) and isinstance(response.body, bytes):
                response.body = spoiled(response.body, fault)
                if fault.malformed:
                    response.body = response.body[: len(response.body) // 2]
            return response

        return misbehave

    async def _healthz(self, _request: web.Request) -> web.Response:
        return answer({"status": "ok", "sources": list(self._sources)})

    async def _reference(self, request: web.Request) -> web.Response:
        time_ms = _time_ms(request.query.get("time_ms"), self._clock.time_ms())
        texts = [text for text in request.query.get("pairs", "").split(",") if text.strip()]
        if not texts:
            raise InvalidInput("pairs", request.query.get("pairs", ""), "a comma list of BASE/QUOTE, like BTC/USD")
        prices = {str(pair): self._process.price(pair, time_ms) for pair in map(Pair.parse, texts)}
        return answer({"time_ms": time_ms, "prices": {name: _plain(price) for name, price in prices.items()}})


def _limited(dialect: Dialect, fault: Fault) -> web.Response:
    answers = dialect.limit_answers()
    limited = answers[fault.limit] if isinstance(fault.limit, str) else next(iter(answers.values()))
    if fault.retry_after is not None:
        limited.headers["Retry-After"] = fault.retry_after
    return limited


def _replacement(fault: Fault) -> web.Response:
    status = 200 if fault.status is None else fault.status
    headers = {} if fault.location is None else {"Location": fault.location}
    if isinstance(fault.body, str):
        return web.Response(text=fault.body, status=status, headers=headers)
    if "body" not in fault.model_fields_set:
        return web.Response(status=status, headers=headers)
    return answer(fault.body, status=status, headers=headers)


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
