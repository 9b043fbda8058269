"""Listen on the loopback interface until told to stop."""

import asyncio
import signal

from devkit.market.app import build_app
from devkit.market.process import PriceProcess
from meshkit.clock import Clock
from meshkit.http.server import listen
from meshkit.log import get_logger
from meshkit.process import ports

HOST = "127.0.0.1"

_log = get_logger(__name__)


async def serve(port: int, process: PriceProcess, clock: Clock) -> None:
    """Serve the market on 127.0.0.1 until SIGTERM or SIGINT; raise PortInUse if the port is taken."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    with ports.binding(port, "the market (--port)"):
        server = await listen(build_app(process, clock), HOST, port)
    async with server:
        _log.info("market_listening", host=HOST, port=server.port, seed=process.seed, tick_ms=process.tick_ms)
        await stop.wait()
        _log.info("market_stopping")
