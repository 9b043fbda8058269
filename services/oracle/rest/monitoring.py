"""Health, readiness, metrics, and the simple questions."""

import hmac
import socket
from collections.abc import Iterable, Sequence

import orjson
from aiohttp import web

from meshkit.go_quoted import quoted
from meshkit.metrics import CONTENT_TYPE, Registry
from services.oracle.health import Check, Health
from services.oracle.rest.jsonapi import all_of, resource

# The version whose API this node speaks; the commit tells that it is not that program.
_BUILD_INFO = {"version": "2.27.0", "commitSHA": "feedmesh-embedded"}


class Monitoring:
    """Serve what needs no login, and /v2/ping and /v2/build_info."""

    def __init__(self, health: Health, registry: Registry, token: str | None) -> None:
        self._health = health
        self._registry = registry
        self._token = token

    def routes(self) -> Iterable[web.RouteDef]:
        """Return the routes."""
        return (
            web.get("/health", self._get_health),
            web.get("/health.txt", self._get_health),
            web.get("/readyz", self._get_readyz),
            web.get("/metrics", self._get_metrics),
            web.get("/discovery", self._get_discovery),
            web.get("/plugins/{name}/metrics", _no_plugin),
            web.get("/v2/ping", self._get_ping),
            web.get("/v2/build_info", self._get_build_info),
        )

    async def _get_health(self, request: web.Request) -> web.Response:
        checks = await self._health.checks()
        status = 200 if all(check.passing for check in checks) else 207
        if "failing" in request.query:
            checks = [check for check in checks if not check.passing]
        if request.path.endswith(".txt") or request.headers.get("Accept", "").startswith("text/plain"):
            lines = [_line(check) for check in checks]
            return web.Response(text="".join(lines), status=status)
        return _list(checks, status)

    async def _get_readyz(self, request: web.Request) -> web.Response:
        if "full" in request.query:
            return _list(await self._health.checks(), 200)
        return web.Response(status=200 if self._health.ready else 503)

    async def _get_metrics(self, request: web.Request) -> web.Response:
        given = request.headers.get("Authorization", "")
        if self._token is not None and not hmac.compare_digest(
            given.encode("utf-8", "replace"), f"Bearer {self._token}".encode()
        ):
            return web.Response(status=401, text="invalid or missing token")
        # Nobody else may ever ask how the node is, and its metrics are to tell.
        await self._health.checks()
        return web.Response(body=self._registry.render(), headers={"Content-Type": CONTENT_TYPE})

    async def _get_discovery(self, request: web.Request) -> web.Response:
        _, _, port = request.host.rpartition(":")
        target = f"{socket.gethostname()}:{port}"
        found = [{"labels": {"__metrics_path__": "/metrics"}, "targets": [target]}]
        return web.Response(body=orjson.dumps(found), content_type="application/json")

    async def _get_ping(self, _: web.Request) -> web.Response:
        return web.Response(body=orjson.dumps({"message": "pong"}), content_type="application/json")

    async def _get_build_info(self, _: web.Request) -> web.Response:
        return web.Response(body=orjson.dumps(_BUILD_INFO), content_type="application/json")


def _line(check: Check) -> str:
    """Return a check as text; what is wrong with it stands in lines of its own."""
    if check.passing:
        return f"ok {check.name}\n"
    output = check.output.replace("\n", "\n\t")
    return f"!  {check.name}\n\t{output}\n"


async def _no_plugin(request: web.Request) -> web.Response:
    return web.Response(status=404, text=f"plugin {quoted(request.match_info['name'][:200])} does not exist")


def _list(checks: Sequence[Check], status: int) -> web.Response:
    items = [
        resource(
            "checks",
            check.name,
            {"name": check.name, "status": "passing" if check.passing else "failing", "output": check.output},
        )
        for check in checks
    ]
    response = all_of(items)
    response.set_status(status)
    return response
