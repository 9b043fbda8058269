"""The HTTP side of an engine with scripted sources, on a free port."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from meshkit.clock import SystemClock
from services.aggregator.config import MarketDataConfig
from services.aggregator.engine.engine import Engine
from services.aggregator.engine.market_data import MarketData
from services.aggregator.engine.status_metrics import StatusMetrics
from services.aggregator.metrics import open_registry
from services.aggregator.web.routes import HttpApi
from services.aggregator.web.server import listen
from tests.aggregator.fakes import BTC, ETH, NAMES, ScriptedSource, settings


@dataclass
class Serving:
    """A server with its parts and a client."""

    url: str
    session: aiohttp.ClientSession
    engine: Engine
    market: MarketData
    sources: dict[str, ScriptedSource]

    async def ask(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        """Return status and parsed body; the text of one that is not JSON."""
        async with self.session.request(method, self.url + path, **options) as response:
            body = await response.read()
            is_json = response.content_type == "application/json"
            return response.status, orjson.loads(body) if is_json else body.decode()


@asynccontextmanager
async def serving(coingecko_url: str | None = None) -> AsyncIterator[Serving]:
    """Serve until the context ends; without an address the market data are switched off."""
    clock, metrics = SystemClock(), open_registry()
    sources = {name: ScriptedSource(name, prices={BTC: "100.5", ETH: "5"}) for name in NAMES}
    engine = Engine(settings(), sources.values(), clock, metrics)
    async with aiohttp.ClientSession() as session:
        figures = MarketDataConfig(enabled=bool(coingecko_url), base_url=coingecko_url)
        market = MarketData(session, figures, clock, metrics)
        StatusMetrics(engine.status, market, clock, metrics)
        api = HttpApi(engine, clock, metrics, market)
        listening = await listen(api.build(), 0, api.fast_answers())
        try:
            await engine.start()
            url = f"http://127.0.0.1:{listening.port}"
            yield Serving(url, session, engine, market, sources)
        finally:
            await listening.close()
            await market.close()
            await engine.close()
