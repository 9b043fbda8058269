"""The routes of the HTTP side, and the two whose answers need no application while their prices are ready."""

import re
from collections.abc import Sequence

import orjson
from aiohttp import web

from meshkit.clock import Clock
from meshkit.errors import MeshError, RateLimited
from meshkit.metrics import CONTENT_TYPE, Registry
from services.aggregator.engine.engine import Engine
from services.aggregator.engine.market_data import PAIR as MARKET_CAP
from services.aggregator.engine.market_data import MarketData
from services.aggregator.engine.source_verdicts import AbsentSource
from services.aggregator.prices.pair import Pair, pair_of
from services.aggregator.prices.quote import Quote, QuoteStatus, Result
from services.aggregator.web import bridge, legacy_routes, market_data_routes, openapi, quote_json, source_routes
from services.aggregator.web.batch import BatchRoute, present
from services.aggregator.web.middleware import Middleware, RequestMetrics, retry_after_text
from services.aggregator.web.parameters import BATCH_ROUTE, QUOTE_ROUTE
from services.aggregator.web.quick.bridge_answers import BridgeAnswers
from services.aggregator.web.quick.fast_path import BodyAnswer, FastAnswer, FastAnswers
from services.aggregator.web.rendered_quotes import RenderedQuotes

LONGEST_BODY_BYTES = 256 * 1024
# Only what means the same with and without decoding.
_QUOTE = re.compile(r"/quote/([a-z]+)/([A-Za-z0-9._$-]{1,50})/([A-Za-z0-9._$-]{1,50})")
_BATCH = re.compile(r"/quotes/batch\?pairs=([A-Za-z0-9._$,/-]+)(?:&fields=([A-Za-z,]+))?")


class HttpApi:
    """Answer HTTP requests from the engine."""

    def __init__(self, engine: Engine, clock: Clock, metrics: Registry, market: MarketData | None = None) -> None:
        self._answers = engine.answers
        self._status = engine.status
        self._sources = engine.sources
        self._verdicts = engine.verdicts
        self._market = market
        self._clock = clock
        self._registry = metrics
        self._metrics = RequestMetrics(metrics)
        self._rendered = RenderedQuotes(
            engine.ready, clock, cached=engine.cached, sources=engine.sources, requests=engine.requests
        )
        self._batches = BatchRoute(engine.answers, self._rendered, engine.sources, clock)
        self._bridges = BridgeAnswers(
            engine.ready, engine.answers.resolve, clock, () if market is None else [MARKET_CAP], self._absent
        )

    def build(self) -> web.Application:
        """Return the aiohttp application."""
        middleware = Middleware(self._metrics, self._clock)
        app = web.Application(middlewares=[middleware.handle], client_max_size=LONGEST_BODY_BYTES)
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
        app.add_routes(legacy_routes.routes(self._status))
        app.add_routes(source_routes.routes(self._status))
        if self._market is not None:
            app.add_routes(market_data_routes.routes(self._market))
        openapi.mount(app)
        return app

    def fast_answers(self) -> FastAnswers:
        """Return the answers that need no application."""
        return FastAnswers(self._find, self._clock, self._find_body)

    def _find(self, target: str) -> FastAnswer | None:
        """Return what answers a target with ready prices; None if it is another route, or spelled in an unusual way."""
        if match := _QUOTE.fullmatch(target):
            source, pair = match[1], Pair(match[2], match[3])
            return self._counted(QUOTE_ROUTE, lambda: self._rendered.source_text(source, pair))
        if match := _BATCH.fullmatch(target):
            try:
                batch = self._batches.read(match[1], None, match[2])
            except MeshError:
                return None
            return self._counted(BATCH_ROUTE, lambda: self._batches.rendered(batch))
        return None

    def _find_body(self, target: str) -> BodyAnswer | None:
        """Return what answers the bodies of a target with ready prices; None if none are posted there."""
        if target != BATCH_ROUTE:
            return None
        monotonic, answer = self._clock.monotonic, self._bridges.to
        observe = self._metrics.series(BATCH_ROUTE, "POST", 200).observe

        def counted(body: bytes) -> bytes | None:
            started_at = monotonic()
            text = answer(body)
            if text is not None:
                observe(monotonic() - started_at)
            return text

        return counted

    def _counted(self, route: str, answer: FastAnswer) -> FastAnswer:
        monotonic, observe = self._clock.monotonic, self._metrics.series(route, "GET", 200).observe

        def counted() -> bytes | None:
            started_at = monotonic()
            text = answer()
            if text is not None:
                observe(monotonic() - started_at)
            return text

        return counted

    async def _root(self, _request: web.Request) -> web.Response:
        return _json({"message": "feedmesh price aggregator", "timestamp": quote_json.time_text(self._clock.time_ms())})

    async def _health(self, _request: web.Request) -> web.Response:
        """Say whether any price can be served: before the first fetch has succeeded there is none."""
        found = [status for status in self._status.sources() if status.enabled]
        is_fresh = any(status.fresh_pairs for status in found)
        sources = {
            status.name: {
                "available": status.available,
                "freshPairs": status.fresh_pairs,
                "registeredPairs": status.registered_pairs,
                "lastError": status.last_error,
            }
            for status in found
        }
        return _json({"status": "ok" if is_fresh else "no fresh price", "sources": sources}, 200 if is_fresh else 503)

    async def _show_metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._registry.render(), headers={"Content-Type": CONTENT_TYPE})

    async def _batch(self, request: web.Request) -> web.Response:
        return _response(await self._batches.answer(request), 200)

    async def _bridge(self, request: web.Request) -> web.Response:
        started_ms = self._clock.time_ms()
        asked = bridge.parse_request(await request.read())
        pairs, sources = asked.data.asked(), asked.data.sources
        results: list[tuple[Pair, Result]]
        if pairs == [MARKET_CAP] and self._market is not None:
            answered_ms, results = started_ms, [(MARKET_CAP, self._market.quote(sources))]
        else:
            answered_ms, results = await present(self._answers, self._sources, self._clock, pairs, sources)
        if len(results) == 1 and isinstance(results[0][1], MeshError):
            return self._failed(pairs[0], results[0][1])
        return _response(bridge.success(asked, results, started_ms, answered_ms, self._absent), 200)

    def _absent(self, quote: Quote) -> Sequence[AbsentSource]:
        """Return why sources of a quote that has not all of them have no price."""
        if quote.status is QuoteStatus.FRESH:
            return ()
        present = {used.source for used in (*quote.sources, *(left.quote for left in quote.left_out))}
        return self._verdicts.absent(quote.pair, present)

    def _failed(self, pair: Pair, error: MeshError) -> web.Response:
        """Return the answer of an error, as every route gives it, with what became of each source of the feed."""
        body = quote_json.failure(error, self._clock.time_ms())
        try:
            feed = self._answers.resolve(pair)
        except MeshError:
            return _error_response(error, body)
        body["sources"] = [quote_json.priced_source(each) for each in self._verdicts.priced(feed)]
        body["absent"] = [quote_json.absent_source(each) for each in self._verdicts.absent(feed, ())]
        return _error_response(error, body)

    async def _source_quote(self, request: web.Request) -> web.Response:
        match = request.match_info
        source, pair = match["source"], Pair(match["base"], match["quote"])
        text = self._rendered.source_text(source, pair)
        if text is None:
            pair_of(*pair, "pair")
            text = quote_json.source_text(await self._answers.source_quote(source, pair))
        return _response(text, 200)


def _error_response(error: MeshError, body: quote_json.Json) -> web.Response:
    response = _json(body, error.http_status)
    if isinstance(error, RateLimited):
        response.headers["Retry-After"] = retry_after_text(error)
    return response


def _json(value: quote_json.Json, status: int = 200) -> web.Response:
    return _response(orjson.dumps(value), status)


def _response(text: bytes, status: int) -> web.Response:
    return web.Response(body=text, status=status, content_type="application/json")
