"""The HTTP side, beside the cache, on 127.0.0.1 only."""

import errno
from collections.abc import Sequence

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from meshkit.clock import Clock
from meshkit.errors import FailedPrecondition, InvalidInput, MeshError, RateLimited
from meshkit.log import get_logger
from meshkit.metrics import CONTENT_TYPE, Registry
from services.aggregator import body, bridge
from services.aggregator.engine import Engine
from services.aggregator.pair import Pair, pair_of, parse_pair

log = get_logger(__name__)

HOST = "127.0.0.1"
MOST_PAIRS = 500
LONGEST_PAIRS_TEXT = 24_000
LONGEST_BODY_BYTES = 256 * 1024
_LONGEST_LINE_BYTES = 32_768
_DRAIN_S = 2.0


class HttpApi:
    """Answer HTTP requests from the engine."""

    def __init__(self, engine: Engine, clock: Clock, metrics: Registry) -> None:
        self._engine = engine
        self._clock = clock
        self._metrics = metrics
        self._requests = metrics.counter("http_requests_total")
        self._seconds = metrics.histogram("http_request_duration_seconds")

    def build(self) -> web.Application:
        """Return the aiohttp application."""
        app = web.Application(middlewares=[self._answer], client_max_size=LONGEST_BODY_BYTES)
        app.add_routes(
            [
                web.get("/", self._root),
                web.get("/health", self._health),
                web.get("/metrics", self._show_metrics),
                web.get("/quotes/batch", self._batch),
                web.post("/quotes/batch", self._bridge),
                web.get("/quote/{source}/{base}/{quote}", self._source_quote),
            ]
        )
        return app

    async def _root(self, _request: web.Request) -> web.Response:
        return _json({"message": "feedmesh price aggregator", "timestamp": body.time_text(self._clock.time_ms())})

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
        pairs = parse_pairs(request.query.get("pairs"))
        sources = parse_sources(request.query.get("sources"))
        results = await self._engine.quotes(pairs, sources=sources)
        quotes = [body.entry(pair, result) for pair, result in results]
        return _json({"timestamp": body.time_text(self._clock.time_ms()), "quotes": quotes})

    async def _bridge(self, request: web.Request) -> web.Response:
        started_ms = self._clock.time_ms()
        asked = bridge.parse_request(await request.read())
        results = await self._engine.quotes(asked.data.asked(), sources=asked.data.sources)
        return _response(bridge.success(asked, results, started_ms, self._clock.time_ms()), 200)

    async def _source_quote(self, request: web.Request) -> web.Response:
        match = request.match_info
        pair = pair_of(match["base"], match["quote"], "pair")
        return _json(body.source_quote(await self._engine.source_quote(match["source"], pair)))

    @web.middleware
    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Turn errors into their answers, and count."""
        started_at = self._clock.monotonic()
        status = 500
        try:
            response = await handler(request)
            status = response.status
            return response
        except MeshError as error:
            status = error.http_status
            return self._failed(status, error.reason, str(error), error)
        except web.HTTPException as error:
            status = error.status
            return self._failed(status, error.reason.upper().replace(" ", "_"), error.reason)
        except Exception:
            log.exception("request_crashed", method=request.method, path=request.path)
            return self._failed(status, "INTERNAL", "internal error; the service's log has the traceback")
        finally:
            resource = request.match_info.route.resource
            route = "unknown" if resource is None else resource.canonical
            self._requests.labels(route, request.method, str(status)).inc()
            self._seconds.labels(route, request.method).observe(self._clock.monotonic() - started_at)

    def _failed(self, status: int, name: str, message: str, error: MeshError | None = None) -> web.Response:
        metadata = {} if error is None else error.metadata
        response = _json(body.error(status, name, message, self._clock.time_ms(), metadata), status)
        if isinstance(error, RateLimited):
            response.headers["Retry-After"] = str(-(-error.retry_after_ms // 1000))
        return response


def parse_pairs(text: str | None) -> list[Pair]:
    """Return the pairs of a comma list; raise InvalidInput naming the pair that is none, or the limit."""
    if not text:
        raise InvalidInput("pairs", text, "a comma list such as BTC-USD,ETH-USD")
    if len(text) > LONGEST_PAIRS_TEXT:
        raise InvalidInput("pairs", f"{len(text)} characters", f"at most {LONGEST_PAIRS_TEXT} characters")
    items = text.split(",")
    if len(items) > MOST_PAIRS:
        raise InvalidInput("pairs", f"{len(items)} pairs", f"at most {MOST_PAIRS} pairs")
    return [parse_pair(item, "pairs") for item in items]


def parse_sources(text: str | None) -> Sequence[str] | None:
    """Return the names of a comma list, or None if there is no list; the engine checks them."""
    if text is None:
        return None
    names = [name.strip() for name in text[:1000].split(",") if name.strip()]
    if not names:
        raise InvalidInput("sources", text, "a comma list such as binance,kraken")
    return names


def _json(value: body.Json, status: int = 200) -> web.Response:
    return _response(orjson.dumps(value), status)


def _response(text: bytes, status: int) -> web.Response:
    return web.Response(body=text, status=status, content_type="application/json")


async def listen(app: web.Application, port: int) -> web.AppRunner:
    """Listen on 127.0.0.1 and return the runner, whose `cleanup` stops it; FailedPrecondition if the port is taken."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_DRAIN_S, max_line_size=_LONGEST_LINE_BYTES)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, port).start()
    except OSError as error:
        await runner.cleanup()
        if error.errno != errno.EADDRINUSE:
            raise
        raise FailedPrecondition(f"HTTP port {port} of {HOST} (priceAggregatorConfig.port) is in use") from error
    return runner
