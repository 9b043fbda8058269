"""The REST API: the subset of the real node's that a network is operated through."""

import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from aiohttp import web

from meshkit import log
from meshkit.errors import MeshError
from services.oracle.rest.jsonapi import Refused, failure, shortened
from services.oracle.rest.sessions import Sessions
from services.oracle.settings import WebServerSettings

_log = log.get_logger(__name__)
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_API = re.compile(r"/v[0-9]+/.*", re.DOTALL)
_PART = re.compile(r"\{(\w+)\}")
# Adapters that answer later show what they were told, and no session.
OPEN_PATH = "/v2/resume/"
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_EXTENSION = re.compile(r"\.[^./]*$")
# A real node shows its user interface there.
_PAGE = "<!doctype html><html><head><title>feedmesh node</title></head><body>This node has no pages.</body></html>"


class Controller(Protocol):
    """Serve some of the paths."""

    def routes(self) -> Iterable[web.RouteDef]:
        """Return the routes."""
        ...


def create(sessions: Sessions, controllers: Iterable[Controller], settings: WebServerSettings) -> web.Application:
    """Return the application; all paths below /v2/ need a session."""

    @web.middleware
    async def errors(request: web.Request, handler: _Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except Refused as error:
            if error.status == 429:
                return web.Response(status=429, text=error.detail)
            return failure(error.status, *error.details)
        except MeshError as error:
            return failure(error.http_status, shortened(str(error)))
        except web.HTTPRequestEntityTooLarge:
            return web.Response(status=413, text="request too large")
        except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
            return await _unrouted(request)
        except web.HTTPException as error:
            return failure(error.status, error.reason)
        except Exception:
            _log.exception("request_failed", method=request.method, path=request.path)
            return failure(500, "internal error")

    @web.middleware
    async def limits(request: web.Request, handler: _Handler) -> web.StreamResponse:
        sessions.limit(request)
        return await handler(request)

    @web.middleware
    async def authentication(request: web.Request, handler: _Handler) -> web.StreamResponse:
        if (
            request.path.startswith("/v2/")
            and not request.path.startswith(OPEN_PATH)
            and request.match_info.http_exception is None
        ):
            await sessions.require(request)
        return await handler(request)

    app = web.Application(middlewares=(errors, limits, authentication), client_max_size=settings.http_max_size_bytes)
    for controller in (sessions, *controllers):
        app.add_routes([_adapted(route) for route in controller.routes()])
    return app


def _adapted(route: web.RouteDef) -> web.RouteDef:
    """Return a route as the node has it: any character may be in a part of the path, and GET is not HEAD."""
    is_api = route.method == "GET" and route.path.startswith("/v2/")
    kwargs = {**route.kwargs, **({"allow_head": False} if is_api else {})}
    return web.RouteDef(route.method, _PART.sub(r"{\1:[^/]+}", route.path), route.handler, kwargs)


async def _unrouted(request: web.Request) -> web.StreamResponse:
    """Answer where there is nothing: as the node, which has one page for all paths that are not of its API."""
    path = request.path
    if len(path) > 1 and path.endswith("/"):
        bare = path.rstrip("/")
        found = await request.app.router.resolve(request.clone(rel_url=request.rel_url.with_path(bare)))
        if found.http_exception is None:
            status, reason = (301, "Moved Permanently") if request.method == "GET" else (307, "Temporary Redirect")
            text = f'<a href="{bare}">{reason}</a>.\n\n' if request.method == "GET" else ""
            return web.Response(status=status, text=text, content_type="text/html", headers={"Location": bare})
    if _API.fullmatch(path) or _EXTENSION.search(path):
        return web.Response(status=404)
    if request.method not in _METHODS:
        return web.Response(status=405)
    return web.Response(text=_PAGE, content_type="text/html")
