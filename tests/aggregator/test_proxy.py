"""Sources and their streams behind real proxies: tunnels for TLS, forwarded requests without, and never past them."""

import asyncio
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from aiohttp import web

from devkit.market.app import build_app
from devkit.market.process import PriceProcess
from meshkit.clock import SystemClock
from services.aggregator import config
from services.aggregator.engine.engine import Engine
from services.aggregator.metrics import open_registry
from services.aggregator.prices.pair import Pair
from services.aggregator.sources.factory import open_sources
from services.aggregator.streams.catalog import open_streams
from tests.aggregator.test_config import configuration
from tests.receiver import self_signed
from tests.waiting import until

PAIRS = {"binance": Pair("BTC", "USDT"), "kraken": Pair("BTC", "USD"), "okx": Pair("BTC", "USD")}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Proxy:
    """
    Forward HTTP requests, and open tunnels where a client asks for one.

    Attributes:
        asked: The first line of each request.
        credentials: What clients authorised themselves with.
        ports: Our own ends of the connections to servers.
    """

    url: str = ""
    asked: list[str] = field(default_factory=list)
    credentials: set[str] = field(default_factory=set)
    ports: set[int] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until either side ends it."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, _, rest = head.partition("\r\n")
        self.asked.append(line)
        for header in rest.splitlines():
            name, _, value = header.partition(": ")
            if name.lower() == "proxy-authorization":
                self.credentials.add(value)
        method, target, version = line.split(" ")
        parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
        upstream = await asyncio.open_connection(parts.hostname, parts.port)
        self.ports.add(upstream[1].get_extra_info("sockname")[1])
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            path = f"{parts.path}?{parts.query}" if parts.query else parts.path
            upstream[1].write(f"{method} {path} {version}\r\n{rest}".encode())
        await asyncio.gather(_pump(reader, upstream[1]), _pump(upstream[0], writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


@asynccontextmanager
async def proxy(credentials: str = "") -> AsyncIterator[Proxy]:
    """Give a running proxy."""
    running = Proxy()
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(running.serve(reader, writer))
        tasks.add(task)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    running.url = f"http://{credentials}127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield running
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def market(context: ssl.SSLContext | None) -> AsyncIterator[tuple[int, dict[str, set[int]]]]:
    """Give the port of a simulated market, and from which ports the requests of each source came."""
    came_from: dict[str, set[int]] = defaultdict(set)

    @web.middleware
    async def note(request: web.Request, handler: Handler) -> web.StreamResponse:
        assert request.transport is not None
        came_from[request.path.split("/")[1]].add(request.transport.get_extra_info("peername")[1])
        return await handler(request)

    app = build_app(PriceProcess(7), SystemClock())
    app.middlewares.append(note)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        yield runner.addresses[0][1], came_from
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("tls", [True, False])
async def test_each_source_goes_through_its_proxy(tls: bool, tmp_path: Path) -> None:
    """Prices and streams come through the global proxy, the source's own, or directly, as each is set to."""
    server_side = self_signed(tmp_path) if tls else None
    client_side = ssl.create_default_context(cafile=tmp_path / "server.pem") if tls else True
    secure = "s" if tls else ""
    async with (
        proxy("me:a-pass-word@") as shared,
        proxy() as own,
        market(server_side) as (port, came_from),
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=client_side)) as session,
    ):
        ways = {"binance": True, "kraken": own.url, "okx": False}
        sources = {
            name: {
                "baseUrl": f"http{secure}://127.0.0.1:{port}/{name}",
                "useProxy": way,
                "stream": {"wsUrl": f"ws{secure}://127.0.0.1:{port}/{name}/ws"},
            }
            for name, way in ways.items()
        }
        settings = config.read(configuration({"proxy": shared.url, "sources": sources}))
        clock, metrics = SystemClock(), open_registry()
        streams = open_streams(session, settings.streams, clock, metrics)
        engine = Engine(settings, open_sources(session, settings.sources.values(), clock), clock, metrics, streams)
        await engine.start()
        try:
            for name, pair in PAIRS.items():
                assert (await engine.answers.source_quote(name, pair)).price > 0
            await until(
                lambda: all(engine.status.source(name).last_stream_ms is not None for name in PAIRS), "prices by stream"
            )
        finally:
            await engine.close()

    forms = (
        (f"CONNECT 127.0.0.1:{port} ",) if tls else tuple(f"GET {way}://127.0.0.1:{port}/" for way in ("http", "ws"))
    )
    assert [] == [line for line in shared.asked + own.asked if not line.startswith(forms)]
    # A stream may take over the connection that an answer came by.
    assert set() < came_from["binance"] <= shared.ports
    assert set() < came_from["kraken"] <= own.ports
    assert came_from["okx"]
    assert set() == came_from["okx"] & (shared.ports | own.ports)
    assert ({"Basic bWU6YS1wYXNzLXdvcmQ="}, set()) == (shared.credentials, own.credentials)
