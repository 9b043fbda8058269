"""The REST API: the subset of the real node's that a network is operated through."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from meshkit import log
from meshkit.clock import Clock
from meshkit.errors import MeshError
from services.oracle.health import Health
from services.oracle.rest import bridges, jobs, keys, monitoring, runs, sessions
from services.oracle.rest.jsonapi import Refused, failure
from services.oracle.rest.limits import RequestLimit
from services.oracle.settings import WebServerSettings
from services.oracle.spawner import JobSpawner
from services.oracle.store.bridges import BridgeStore
from services.oracle.store.users import UserStore
from services.oracle.surroundings import Surroundings

_log = log.get_logger(__name__)
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Backend:
    """Hold what the handlers work with."""

    around: Surroundings
    spawner: JobSpawner
    bridges: BridgeStore
    users: UserStore
    health: Health
    prometheus_token: str | None


def create(backend: Backend, settings: WebServerSettings, clock: Clock) -> web.Application:
    """Return the application."""
    rates = settings.rate_limit
    every = RequestLimit(rates.authenticated, rates.authenticated_period_s, clock)
    logins = RequestLimit(rates.unauthenticated, rates.unauthenticated_period_s, clock)
    session_routes = sessions.Sessions(backend.users, settings)

    @web.middleware
    async def errors(request: web.Request, handler: _Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except Refused as error:
            return failure(error.status, error.detail)
        except MeshError as error:
            return failure(error.http_status, str(error))
        except web.HTTPException as error:
            return failure(error.status, error.reason)
        except Exception:
            _log.exception("request_failed", method=request.method, path=request.path)
            return failure(500, "internal error")

    @web.middleware
    async def limits(request: web.Request, handler: _Handler) -> web.StreamResponse:
        client = request.remote or ""
        login = request.method == "POST" and request.path == "/sessions"
        if request.path != "/metrics" and (not every.allow(client) or (login and not logins.allow(client))):
            return web.Response(status=429, text="Limit exceeded")
        return await handler(request)

    @web.middleware
    async def authentication(request: web.Request, handler: _Handler) -> web.StreamResponse:
        if request.path.startswith("/v2/"):
            await session_routes.require(request)
        return await handler(request)

    app = web.Application(middlewares=(errors, limits, authentication), client_max_size=settings.http_max_size_bytes)
    app.add_routes(session_routes.routes())
    app.add_routes(
        monitoring.Monitoring(backend.health, backend.around, backend.spawner, backend.prometheus_token).routes()
    )
    app.add_routes(keys.Keys(backend.around).routes())
    app.add_routes(bridges.Bridges(backend.bridges, backend.spawner).routes())
    app.add_routes(jobs.Jobs(backend.spawner).routes())
    app.add_routes(runs.Runs(backend.around.runs, backend.spawner).routes())
    return app
