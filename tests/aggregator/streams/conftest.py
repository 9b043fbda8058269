"""Fixtures of the streams' tests."""

from collections.abc import AsyncIterator
from typing import cast

import aiohttp
import pytest
from aiohttp import web

from meshkit.clock import SystemClock
from services.aggregator.metrics import open_registry
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.streams.protocol import Dialect
from services.aggregator.streams.settings import StreamConfig
from services.aggregator.streams.source_stream import SourceStream
from services.aggregator.streams.symbols import Markets
from tests.aggregator.streams.exchange import StreamExchange


class Opened:
    """A stream under test, its prices and its metrics."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.metrics = open_registry()
        self.prices: list[tuple[Pair, Tick]] = []
        self.streams: list[SourceStream] = []
        self._session = session
        self._url = url

    def open(self, dialect: Dialect, *pairs: Pair, markets: Markets | None = None, **changes: object) -> SourceStream:
        """Return a stream that wants these pairs."""
        config = StreamConfig(**{"ws_url": self._url, **changes})  # type: ignore[arg-type]
        stream = SourceStream(dialect, config, self._session, SystemClock(), self.metrics, markets)
        stream.on_price(lambda _source, pair, tick: self.prices.append((pair, cast(Tick, tick))))
        stream.want(pairs)
        self.streams.append(stream)
        return stream

    def metric(self, line: str) -> bool:
        """Tell whether the metrics have this line."""
        return line in self.metrics.render().decode().splitlines()


@pytest.fixture(name="exchange")
async def _exchange() -> AsyncIterator[StreamExchange]:
    """Give an exchange with a stream."""
    exchange = StreamExchange()
    app = web.Application()
    app.router.add_get("/{tail:.*}", exchange.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    exchange.url = f"ws://127.0.0.1:{runner.addresses[0][1]}/v2"
    yield exchange
    await runner.cleanup()


@pytest.fixture(name="opened")
async def _opened(session: aiohttp.ClientSession, exchange: StreamExchange) -> AsyncIterator[Opened]:
    """Give what opens streams of the exchange, and close them in the end."""
    opened = Opened(session, exchange.url)
    yield opened
    for stream in opened.streams:
        await stream.close()
