"""Serve /query, by which Operator UI reads the node."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import orjson
from aiohttp import web

from services.oracle.rest.json_body import content, first_value
from services.oracle.rest.jsonapi import Refused

_UNAUTHORIZED = {"data": None, "errors": [{"message": "Unauthorized", "extensions": {"code": "UNAUTHORIZED"}}]}
_Answer = Callable[[object, str, Mapping[str, Any] | None, str | None], Awaitable[dict[str, Any]]]


class GraphQl:
    """
    Answer questions of who has logged in; `require` refuses others.

    What it takes is imported at the first question: most nodes are never asked.
    """

    def __init__(self, root: object, require: Callable[[web.Request], Awaitable[None]]) -> None:
        self._root = root
        self._require = require
        self._answer: _Answer | None = None

    def routes(self) -> Iterable[web.RouteDef]:
        """Return the routes."""
        return (web.post("/query", self._query),)

    async def _query(self, request: web.Request) -> web.Response:
        try:
            await self._require(request)
        except Refused as refusal:
            if refusal.status != 401:
                raise
            # Pages send whoever is not logged in to the login by this, and by no status.
            return _json(_UNAUTHORIZED)
        query, variables, operation = _question(await content(request))
        if self._answer is None:
            self._answer = await asyncio.to_thread(_load)
        return _json(await self._answer(self._root, query, variables, operation))


def _load() -> _Answer:
    from services.oracle.rest.graphql.execution import answer

    return answer


def _question(body: str) -> tuple[str, Mapping[str, Any] | None, str | None]:
    """Return query, variables and the operation's name of a body; Refused with 400 for what is none."""
    try:
        found = first_value(body)
    except ValueError as error:
        raise Refused(400, str(error)) from error
    if not isinstance(found, dict):
        raise Refused(
            400, f"body: found {type(found).__name__}, allowed: an object with query, variables, operationName"
        )
    query, variables, operation = found.get("query"), found.get("variables"), found.get("operationName")
    if not isinstance(query, str):
        raise Refused(400, f"query: found {type(query).__name__}, allowed: a text")
    if not isinstance(variables, dict | None):
        raise Refused(400, f"variables: found {type(variables).__name__}, allowed: an object")
    if not isinstance(operation, str | None):
        raise Refused(400, f"operationName: found {type(operation).__name__}, allowed: a text")
    return query, variables, operation or None


def _json(document: Mapping[str, Any]) -> web.Response:
    return web.Response(body=orjson.dumps(document, default=str), content_type="application/json")
