"""The HTTP side, beside the cache, on 127.0.0.1 only."""

import asyncio
import re

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import Counter, Histogram

from meshkit import ports
from meshkit.clock import Clock
from meshkit.errors import MeshError, RateLimited
from meshkit.log import get_logger
from meshkit.metrics import CONTENT_TYPE, Registry
from services.aggregator import market_data
from services.aggregator.derived_metrics import Gauges
from services.aggregator.engine import Engine
from services.aggregator.prices.pair import Pair, pair_of
from services.aggregator.prices.quote import Result
from services.aggregator.web import bridge, legacy_routes, openapi, quote_json
from services.aggregator.web.batch import BatchRoute, present
from services.aggregator.web.fast_path import IDLE_S, Answer, Answers, FrontSite
from services.aggregator.web.parameters import BATCH_ROUTE, QUOTE_ROUTE

log = get_logger(__name__)

HOST = "127.0.0.1"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
LONGEST_BODY_BYTES = 256 * 1024
BODY_S = 10.0
_LONGEST_LINE_BYTES = 32_768
_DRAIN_S = 2.0
# Only what means the same with and without decoding.
_QUOTE = re.compile(r"/quote/([a-z]+)/([A-Za-z0-9._$-]{1,50})/([A-Za-z0-9._$-]{1,50})")
_BATCH = re.compile(r"/quotes/batch\?pairs=([A-Za-z0-9._$,/-]+)(?:&fields=([A-Za-z,]+))?")


class HttpApi:
    """Answer HTTP requests from the engine."""

    def __init__(
        self, engine: Engine, clock: Clock, metrics: Registry, market: market_data.MarketData | None = None
    ) -> None:
        self._engine = engine
        self._market = market
        self._clock = clock
        self._metrics = metrics
        self._requests = metrics.counter("http_requests_total")
        self._seconds = metrics.histogram("http_request_duration_seconds")
        # Looking a series up by its labels costs more than counting in it; routes, methods and statuses are few.
        self._series: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._batches = BatchRoute(engine, clock)
        self._in_flight = 0
        metrics.before_render(Gauges(engine, market, clock, metrics).look)
        metrics.before_render(lambda: metrics.gauge("http_requests_in_flight").set(self._in_flight))

    def build(self) -> web.Application:
        """Return the aiohttp application."""
        app = web.Application(middlewares=[self._answer], client_max_size=LONGEST_BODY_BYTES)
        app.add_routes(
            [
                web.get("/", self._root),
                web.get("/health", self._health),
                web.get("/metrics", self._show_metrics),
                web.get(BATCH_ROUTE, self._batch),
                web.post(BATCH_ROUTE, self._bridge),
                web.get(QUOTE_ROUTE, self._source_quote),
            ]
        )
        app.add_routes(legacy_routes.routes(self._engine))
        if self._market is not None:
            app.add_routes(market_data.routes(self._market))
        openapi.mount(app)
        return app

    def answers(self) -> Answers:
        """Return the answers that need no application."""
        return Answers(self._find, self._clock)

    def _find(self, target: str) -> Answer | None:
        """Return what answers a target with kept prices; None if it is another route, or spelled in an unusual way."""
        if match := _QUOTE.fullmatch(target):
            source, pair = match[1], Pair(match[2], match[3])
            return self._counted(QUOTE_ROUTE, lambda: self._engine.shelf.source_text(source, pair))
        if match := _BATCH.fullmatch(target):
            try:
                batch = self._batches.read(match[1], None, match[2])
            except MeshError:
                return None
            return self._counted(BATCH_ROUTE, lambda: self._batches.kept(batch))
        return None

    def _counted(self, route: str, answer: Answer) -> Answer:
        def counted() -> bytes | None:
            started_at = self._clock.monotonic()
            text = answer()
            if text is not None:
                self._count(route, "GET", 200, self._clock.monotonic() - started_at)
            return text

        return counted

    async def _root(self, _request: web.Request) -> web.Response:
        return _json({"message": "feedmesh price aggregator", "timestamp": quote_json.time_text(self._clock.time_ms())})

    async def _health(self, _request: web.Request) -> web.Response:
        """Say whether any price can be served: before the first fetch has succeeded there is none."""
        states = [state for state in self._engine.source_states() if state.enabled]
        is_fresh = any(state.fresh_pairs for state in states)
        sources = {
            state.name: {
                "available": state.available,
                "freshPairs": state.fresh_pairs,
                "registeredPairs": state.registered_pairs,
                "lastError": state.last_error,
            }
            for state in states
        }
        return _json({"status": "ok" if is_fresh else "no fresh price", "sources": sources}, 200 if is_fresh else 503)

    async def _show_metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._metrics.render(), headers={"Content-Type": CONTENT_TYPE})

    async def _batch(self, request: web.Request) -> web.Response:
        return _response(await self._batches.answer(request), 200)

    async def _bridge(self, request: web.Request) -> web.Response:
        started_ms = self._clock.time_ms()
        asked = bridge.parse_request(await _body(request))
        pairs, sources = asked.data.asked(), asked.data.sources
        results: list[tuple[Pair, Result]]
        if pairs == [market_data.PAIR] and self._market is not None:
            answered_ms, results = started_ms, [(market_data.PAIR, self._market.quote(sources))]
        else:
            answered_ms, results = await present(self._engine, self._clock, pairs, sources)
        return _response(bridge.success(asked, results, started_ms, answered_ms), 200)

    async def _source_quote(self, request: web.Request) -> web.Response:
        match = request.match_info
        source, pair = match["source"], Pair(match["base"], match["quote"])
        text = self._engine.shelf.source_text(source, pair)
        if text is None:
            pair_of(*pair, "pair")
            text = quote_json.source_text(await self._engine.source_quote(source, pair))
        return _response(text, 200)

    @web.middleware
    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Turn errors into their answers, and count."""
        started_at = self._clock.monotonic()
        status = 500
        self._in_flight += 1
        try:
            response = await handler(request)
            status = response.status
            return response
        except MeshError as error:
            status = error.http_status
            return self._failed(status, error.reason, str(error), error)
        except web.HTTPException as error:
            status = error.status
            response = self._failed(status, error.reason.upper().replace(" ", "_"), error.reason)
            if isinstance(error, web.HTTPMethodNotAllowed):
                response.headers["Allow"] = error.headers["Allow"]
            return response
        except Exception:
            log.exception("request_crashed", method=request.method, path=request.path)
            return self._failed(status, "INTERNAL", "internal error; the service's log has the traceback")
        finally:
            self._in_flight -= 1
            resource = request.match_info.route.resource
            route = "unknown" if resource is None else resource.canonical
            self._count(route, request.method, status, self._clock.monotonic() - started_at)

    def _count(self, route: str, method: str, status: int, seconds: float) -> None:
        # A method is any word a caller likes; each would be a series.
        method = method if method in METHODS else "other"
        series = self._series.get((route, method, status))
        if series is None:
            labels = self._requests.labels(route, method, str(status)), self._seconds.labels(route, method, str(status))
            series = self._series[route, method, status] = labels
        series[0].inc()
        series[1].observe(seconds)

    def _failed(self, status: int, name: str, message: str, error: MeshError | None = None) -> web.Response:
        metadata = {} if error is None else error.metadata
        response = _json(quote_json.error(status, name, message, self._clock.time_ms(), metadata), status)
        if isinstance(error, RateLimited):
            response.headers["Retry-After"] = str(-(-error.retry_after_ms // 1000))
        return response


async def _body(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(BODY_S):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None


def _json(value: quote_json.Json, status: int = 200) -> web.Response:
    return _response(orjson.dumps(value), status)


def _response(text: bytes, status: int) -> web.Response:
    return web.Response(body=text, status=status, content_type="application/json")


async def listen(app: web.Application, port: int, answers: Answers | None = None) -> web.AppRunner:
    """
    Listen on 127.0.0.1 and return the runner, whose `cleanup` stops it; PortInUse if the port is taken.

    With `answers`, what they know is answered before the application sees it.
    """
    runner = web.AppRunner(
        app,
        access_log=None,
        shutdown_timeout=_DRAIN_S,
        max_line_size=_LONGEST_LINE_BYTES,
        keepalive_timeout=IDLE_S,
    )
    await runner.setup()
    site = web.TCPSite(runner, HOST, port) if answers is None else FrontSite(runner, HOST, port, answers)
    try:
        with ports.binding(port, "price-aggregator (solution.priceAggregatorConfig.port)"):
            await site.start()
    except BaseException:
        await runner.cleanup()
        raise
    return runner
