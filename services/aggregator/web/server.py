"""Listen for HTTP, beside the cache, on 127.0.0.1 only."""

from aiohttp import web

from meshkit.http import server
from meshkit.http.limits import HttpLimits
from meshkit.process import ports
from services.aggregator.web.quick.fast_path import FastAnswers


async def listen(
    app: web.Application, port: int, answers: FastAnswers | None = None, limits: HttpLimits | None = None
) -> server.HttpServer:
    """
    Serve on 127.0.0.1; raise PortInUse if the port is taken.

    With `answers`, what they know is answered before the application sees it.
    """
    quick = None if answers is None else answers.to
    with ports.binding(port, "price-aggregator (solution.priceAggregatorConfig.port)"):
        return await server.listen(app, ports.LOOPBACK, port, limits=limits, quick=quick)
