"""
The OpenAPI 3.1 document, made of the mounted routes, the table of operations and the models of answers.

A route that the table does not have is an error at the start, so the document cannot lag behind the service.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import orjson
from aiohttp import web
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from services.aggregator.web import schemas
from services.aggregator.web.bridge import BridgeRequest
from services.aggregator.web.parameters import BATCH_ROUTE, PAIRS_ROUTE, PARAMETERS, QUOTE_ROUTE, SOURCE_ROUTE

_SCHEMAS: Final = "#/components/schemas/{model}"
_TITLE: Final = "feedmesh price aggregator"
_VERSION: Final = "1"


@dataclass(frozen=True, slots=True)
class Operation:
    """
    Describe what a method of a path does.

    Attributes:
        about: One sentence.
        answer: The model of an answer with 200; None for Prometheus text.
        failures: The statuses besides, each with the model of an error.
        same_shape: The statuses besides whose answers have the model of 200.
        takes: The model of the request's body.
        example: A body to send.
    """

    about: str
    answer: type[BaseModel] | None
    failures: tuple[int, ...] = ()
    same_shape: tuple[int, ...] = ()
    takes: type[BaseModel] | None = None
    example: Mapping[str, object] | None = None


_QUOTE_FAILURES: Final = (400, 404, 429, 502, 503, 504)
OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("GET", "/"): Operation("Say that the service runs.", schemas.Root),
    ("GET", "/health"): Operation("Say whether any source has a fresh price.", schemas.Health, same_shape=(503,)),
    ("GET", "/ready"): Operation("Say whether what is registered has prices.", schemas.Ready, same_shape=(503,)),
    ("GET", "/metrics"): Operation("Return the metrics as Prometheus text.", None),
    ("GET", "/openapi.json"): Operation("Return this document.", schemas.Document),
    ("GET", BATCH_ROUTE): Operation("Return a price or an error for each pair.", schemas.Batch, (400, 404)),
    ("POST", BATCH_ROUTE): Operation(
        "Answer a Chainlink bridge.",
        schemas.Bridge,
        (*_QUOTE_FAILURES, 408, 413),
        takes=BridgeRequest,
        example={"data": {"feed": "BTC / USD"}, "meta": {}},
    ),
    ("GET", QUOTE_ROUTE): Operation("Return one source's price of a pair.", schemas.SourcePrice, _QUOTE_FAILURES),
    ("GET", "/quote/pairs/all"): Operation("List the registered pairs of all sources.", schemas.Pairs),
    ("GET", PAIRS_ROUTE): Operation("List the registered pairs of a source.", schemas.SourcePairs, (404,)),
    ("GET", "/sources"): Operation("Tell how the sources are doing, and what they refused.", schemas.Sources),
    ("GET", SOURCE_ROUTE): Operation("Tell the same of a source, and of each of its pairs.", schemas.Source, (404,)),
    ("GET", "/market-data/global"): Operation("Return the value of all coins.", schemas.Global, (404, 503)),
    ("GET", "/market-data/global/status"): Operation("Return how old that value is.", schemas.GlobalStatus),
}


def mount(app: web.Application) -> None:
    """Serve the document of the application's routes at /openapi.json; raise KeyError for a route nobody described."""

    async def show(_request: web.Request) -> web.Response:
        return web.json_response(body=text)

    app.router.add_get("/openapi.json", show)
    text = orjson.dumps(document(app))


def document(app: web.Application) -> dict[str, Any]:
    """Return the document of an application's routes; raise KeyError for a route that the table does not have."""
    mounted = [
        (route.method, route.resource.canonical)
        for route in app.router.routes()
        if route.method != "HEAD" and route.resource is not None
    ]
    paths: dict[str, dict[str, Any]] = {}
    for method, path in mounted:
        paths.setdefault(path, {})[method.lower()] = _operation(method, path)
    described = [OPERATIONS[key] for key in mounted]
    outward = {operation.answer for operation in described if operation.answer is not None} | {schemas.Failure}
    inward = {operation.takes for operation in described if operation.takes is not None}
    _, definitions = models_json_schema(
        [
            *((model, "serialization") for model in sorted(outward, key=lambda model: model.__name__)),
            *((model, "validation") for model in inward),
        ],
        ref_template=_SCHEMAS,
    )
    return {
        "openapi": "3.1.0",
        "info": {"title": _TITLE, "version": _VERSION},
        "paths": paths,
        "components": {"schemas": definitions["$defs"]},
    }


def _operation(method: str, path: str) -> dict[str, Any]:
    operation = OPERATIONS[method, path]
    described: dict[str, Any] = {
        "operationId": f"{method.lower()}{path.replace('/', '_').replace('{', '').replace('}', '')}",
        "summary": operation.about,
        "responses": _responses(operation),
    }
    if method == "GET" and path in PARAMETERS:
        described["parameters"] = [parameter.described() for parameter in PARAMETERS[path]]
    if operation.takes is not None:
        content = {"schema": {"$ref": _SCHEMAS.format(model=operation.takes.__name__)}}
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": content | {"example": operation.example}},
        }
    return described


def _responses(operation: Operation) -> dict[str, Any]:
    if operation.answer is None:
        return {"200": {"description": "OK", "content": {"text/plain": {"schema": {"type": "string"}}}}}
    models = dict.fromkeys((200, *operation.same_shape), operation.answer)
    models |= dict.fromkeys(operation.failures, schemas.Failure)
    return {str(status): _response(status, model) for status, model in sorted(models.items())}


def _response(status: int, model: type[BaseModel]) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": {"$ref": _SCHEMAS.format(model=model.__name__)}}
    return {"description": HTTPStatus(status).phrase, "content": {"application/json": content}}
