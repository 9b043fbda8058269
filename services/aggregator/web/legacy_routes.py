"""Routes that existing jobs and scripts know: the registered pairs, and whether the service can answer."""

import orjson
from aiohttp import web

from services.aggregator.engine.status import EngineStatus, PairStatus
from services.aggregator.prices.price import plain_text
from services.aggregator.web.parameters import PAIRS_ROUTE
from services.aggregator.web.quote_json import Json, time_text


def routes(status: EngineStatus) -> list[web.RouteDef]:
    """Return `/quote/pairs/all`, `/quote/pairs/{source}` and `/ready`."""

    async def all_pairs(_request: web.Request) -> web.Response:
        return _json({"pairs": [registered(pair) for pair in status.pairs()]})

    async def pairs_of(request: web.Request) -> web.Response:
        source = request.match_info["source"]
        pairs = [{"pair": list(pair.pair), **_cached(pair)} for pair in status.pairs(source)]
        return _json({"source": source, "pairs": pairs})

    async def ready(_request: web.Request) -> web.Response:
        """Ready is who has prices of what is registered; with nothing registered, the first request registers."""
        found = status.sources()
        fresh, registered = sum(each.fresh_pairs for each in found), sum(each.registered_pairs for each in found)
        if fresh or not registered:
            return _json({"status": "ready", "freshPairs": fresh})
        return _json({"status": "no fresh price", "freshPairs": 0}, 503)

    return [
        web.get("/quote/pairs/all", all_pairs),
        web.get(PAIRS_ROUTE, pairs_of),
        web.get("/ready", ready),
    ]


def registered(status: PairStatus) -> Json:
    """Return one registered pair; a moment that has not come yet is the year 1970, as it always was here."""
    return {
        "pair": list(status.pair),
        "source": status.source,
        "registeredAt": time_text(status.registered_ms),
        "lastFetchAt": time_text(status.last_fetch_ms),
        "lastResponseAt": time_text(0 if status.quote is None else status.quote.received_ms),
        "lastRequestAt": time_text(status.last_request_ms),
        **_cached(status),
    }


def _cached(status: PairStatus) -> Json:
    if status.quote is None:
        return {}
    received_at = time_text(status.quote.received_ms)
    return {"cachedPrice": plain_text(status.quote.price), "receivedAt": received_at, "cachedAt": received_at}


def _json(value: Json, status: int = 200) -> web.Response:
    return web.json_response(body=orjson.dumps(value), status=status)
