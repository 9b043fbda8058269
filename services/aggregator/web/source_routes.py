"""How the sources are doing: which are asked, what they refused, and why their pairs have no price."""

import orjson
from aiohttp import web

from services.aggregator.engine.status import EngineStatus, PairStatus, SourceStatus
from services.aggregator.fetching.refusal_counts import Refusal
from services.aggregator.web.parameters import SOURCE_ROUTE
from services.aggregator.web.quote_json import Json, time_text

SOURCES_ROUTE = "/sources"


def routes(status: EngineStatus) -> list[web.RouteDef]:
    """Return `/sources` and `/sources/{source}`."""

    async def sources(_request: web.Request) -> web.Response:
        return _json({"sources": [_source(each) for each in status.sources()]})

    async def source(request: web.Request) -> web.Response:
        name = request.match_info["source"]
        return _json({**_source(status.source(name)), "pairs": [_pair(pair) for pair in status.pairs(name)]})

    return [web.get(SOURCES_ROUTE, sources), web.get(SOURCE_ROUTE, source)]


def _source(status: SourceStatus) -> Json:
    return {
        "source": status.name,
        "enabled": status.enabled,
        "available": status.available,
        "circuit": None if status.circuit is None else status.circuit.name.lower(),
        "registeredPairs": status.registered_pairs,
        "freshPairs": status.fresh_pairs,
        "lastSuccessAt": _moment(status.last_success_ms),
        "lastError": status.last_error,
        "silentUntil": _moment(status.silent_until_ms),
        "streamConnected": status.stream_connected,
        "lastStreamAt": _moment(status.last_stream_ms),
        "refusals": [_refusal(each) for each in status.refusals],
    }


def _pair(status: PairStatus) -> Json:
    return {
        "pair": list(status.pair),
        "isFresh": status.quote is not None,
        "refusals": [_refusal(each) for each in status.refusals],
    }


def _refusal(refusal: Refusal) -> Json:
    return {
        "reason": refusal.reason,
        "rule": refusal.rule,
        "count": refusal.count,
        "lastAt": time_text(refusal.last_ms),
        "pair": list(refusal.pair),
        "message": refusal.message,
    }


def _moment(time_ms: int | None) -> str | None:
    return None if time_ms is None else time_text(time_ms)


def _json(value: Json) -> web.Response:
    return web.json_response(body=orjson.dumps(value))
