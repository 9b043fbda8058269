"""Listen for HTTP, beside the cache, on 127.0.0.1 only."""

from aiohttp import web

from meshkit.process import ports
from services.aggregator.web.fast_path import IDLE_S, FastAnswers, FastPathSite

HOST = "127.0.0.1"
_LONGEST_LINE_BYTES = 32_768
_DRAIN_S = 2.0


async def listen(app: web.Application, port: int, answers: FastAnswers | None = None) -> web.AppRunner:
    """
    Listen on 127.0.0.1 and return the runner, whose `cleanup` stops it; PortInUse if the port is taken.

    With `answers`, what they know is answered before the application sees it.
    """
    runner = web.AppRunner(
        app,
        access_log=None,
        shutdown_timeout=_DRAIN_S,
        max_line_size=_LONGEST_LINE_BYTES,
        keepalive_timeout=IDLE_S,
    )
    await runner.setup()
    site = web.TCPSite(runner, HOST, port) if answers is None else FastPathSite(runner, HOST, port, answers)
    try:
        with ports.binding(port, "price-aggregator (solution.priceAggregatorConfig.port)"):
            await site.start()
    except BaseException:
        await runner.cleanup()
        raise
    return runner
