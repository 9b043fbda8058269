"""Routes that existing jobs and scripts know: the registered pairs, and whether the service can answer."""

import orjson
from aiohttp import web

from services.aggregator.engine import Engine
from services.aggregator.prices.price import plain_text
from services.aggregator.source_state import PairState
from services.aggregator.web.parameters import PAIRS_ROUTE
from services.aggregator.web.quote_json import Json, time_text


def routes(engine: Engine) -> list[web.RouteDef]:
    """Return `/quote/pairs/all`, `/quote/pairs/{source}` and `/ready`."""

    async def all_pairs(_request: web.Request) -> web.Response:
        return _json({"pairs": [registered(state) for state in engine.pairs()]})

    async def pairs_of(request: web.Request) -> web.Response:
        source = request.match_info["source"]
        pairs = [{"pair": list(state.pair), **_cached(state)} for state in engine.pairs(source)]
        return _json({"source": source, "pairs": pairs})

    async def ready(_request: web.Request) -> web.Response:
        """Ready is who has prices of what is registered; with nothing registered, the first request registers."""
        states = engine.source_states()
        fresh, registered = sum(state.fresh_pairs for state in states), sum(state.registered_pairs for state in states)
        if fresh or not registered:
            return _json({"status": "ready", "freshPairs": fresh})
        return _json({"status": "no fresh price", "freshPairs": 0}, 503)

    return [
        web.get("/quote/pairs/all", all_pairs),
        web.get(PAIRS_ROUTE, pairs_of),
        web.get("/ready", ready),
    ]


def registered(state: PairState) -> Json:
    """Return one registered pair; a moment that has not come yet is the year 1970, as it always was here."""
    return {
        "pair": list(state.pair),
        "source": state.source,
        "registeredAt": time_text(state.registered_ms),
        "lastFetchAt": time_text(state.last_fetch_ms),
        "lastResponseAt": time_text(0 if state.quote is None else state.quote.received_ms),
        "lastRequestAt": time_text(state.last_request_ms),
        **_cached(state),
    }


def _cached(state: PairState) -> Json:
    if state.quote is None:
        return {}
    received_at = time_text(state.quote.received_ms)
    return {"cachedPrice": plain_text(state.quote.price), "receivedAt": received_at, "cachedAt": received_at}


def _json(value: Json, status: int = 200) -> web.Response:
    return web.json_response(body=orjson.dumps(value), status=status)
