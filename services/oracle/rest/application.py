"""The REST API: the subset of the real node's that a network is operated through."""

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
            return failure(error.status, error.detail)
        except MeshError as error:
            return failure(error.http_status, shortened(str(error)))
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
        if request.path.startswith("/v2/"):
            await sessions.require(request)
        return await handler(request)

    app = web.Application(middlewares=(errors, limits, authentication), client_max_size=settings.http_max_size_bytes)
    for controller in (sessions, *controllers):
        app.add_routes(controller.routes())
    return app
