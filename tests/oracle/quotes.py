"""An adapter: answers the bridge requests of the nodes with a price that moves."""

import asyncio
from collections import Counter
from decimal import Decimal

from aiohttp import web

from tests.ports import free_port


class QuoteServer:
    """Serve a price that rises with each request; remembers what was asked."""

    def __init__(self, price: str = "65123.45") -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/quotes/batch"
        self.price = Decimal(price)
        self.requests: list[object] = []
        self.hangs = False
        # What is answered in place of a price, with the status 503.
        self.failure: dict[str, object] | None = None
        self._ended = asyncio.Event()
        self.agents: Counter[str] = Counter()
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen."""
        app = web.Application()
        app.router.add_post("/quotes/batch", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def stop(self) -> None:
        """Close."""
        self._ended.set()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        self.requests.append(await request.json())
        if self.hangs:
            await self._ended.wait()
        if self.failure is not None:
            return web.json_response(self.failure, status=503)
        self.agents[request.headers.get("User-Agent", "")] += 1
        self.price += Decimal("0.01")
        return web.json_response({"data": {"result": str(self.price)}, "statusCode": 200})
