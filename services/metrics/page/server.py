"""The HTTP server of the metrics service: /metrics and /health for programs, the page for people."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeAlias

import orjson
from aiohttp import web

from meshkit.http import server
from meshkit.log import get_logger
from meshkit.metrics import CONTENT_TYPE
from meshkit.process import ports
from services.metrics.page.guard import guarded
from services.metrics.page.status_page import StatusPage

HOST: Final = "127.0.0.1"

RenderPage: TypeAlias = Callable[[], Awaitable[bytes]]

_log = get_logger(__name__)


def build(render_page: RenderPage, status_page: StatusPage | None = None) -> web.Application:
    """Return the application, for programs alone or with the page; nothing is cached, each scrape measures."""

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=await render_page(), headers={"Content-Type": CONTENT_TYPE})

    async def health(_request: web.Request) -> web.Response:
        return web.Response(body=orjson.dumps({"status": "ok"}), content_type="application/json")

    app = web.Application(middlewares=[guarded])
    app.add_routes([web.get("/metrics", metrics), web.get("/health", health)])
    if status_page is not None:
        status_page.add_to(app)
    return app


@asynccontextmanager
async def served(port: int, render_page: RenderPage, status_page: StatusPage) -> AsyncIterator[int]:
    """Serve on 127.0.0.1 and give the port in use; raise PortInUse."""
    with ports.binding(port, "process-metrics (solution.mesh.ports.metrics)"):
        listening = await server.listen(build(render_page, status_page), HOST, port, drain_s=1.0)
    async with listening:
        _log.info("page_listening", host=HOST, port=listening.port)
        yield listening.port
