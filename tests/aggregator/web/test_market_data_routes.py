"""The routes of the value of all coins, and bridges that ask for it."""

from decimal import Decimal
from typing import Any

import aiohttp
import orjson

from meshkit.clock import ManualClock
from services.aggregator.config import MarketDataConfig
from services.aggregator.engine.market_data import MarketData
from services.aggregator.metrics import open_registry
from services.aggregator.web.market_data_routes import figures_json
from tests.aggregator.fakes import LiteralExchange
from tests.aggregator.global_figures import NOW_MS, PATH, said
from tests.aggregator.serving import serving
from tests.waiting import until


def _market(session: aiohttp.ClientSession, exchange: LiteralExchange, clock: ManualClock) -> MarketData:
    return MarketData(session, MarketDataConfig(base_url=exchange.url, timeout_ms=2_000), clock, open_registry())


async def test_the_shape_that_existing_jobs_parse(market: str) -> None:
    """The path totalMarketCap,usd leads to a number, and the status tells its age."""
    async with serving(f"{market}/coingecko") as server:
        before, error = await server.ask("GET", "/market-data/global")
        _, no_status = await server.ask("GET", "/market-data/global/status")
        server.market.start()
        await until(lambda: server.market.is_available, "figures")
        status, said = await server.ask("GET", "/market-data/global")
        _, state = await server.ask("GET", "/market-data/global/status")

    assert (404, "NO_MARKET_DATA") == (before, error["error"]["name"])
    assert {"enabled": True, "available": False, "dataAgeMs": None, "lastUpdateAt": None} == no_status
    assert 200 == status
    assert said["totalMarketCap"]["usd"] > 0
    assert (True, True, said["updatedAt"]) == (state["enabled"], state["available"], state["lastUpdateAt"])


async def test_a_bridge_gets_the_value_of_its_feed(market: str) -> None:
    """A node that asks for the feed by name gets the dollars of all coins as text, or as the contract's integer."""
    name = "Total Marketcap / USD"
    async with serving(f"{market}/coingecko") as server:

        async def ask(**data: object) -> tuple[int, dict[str, Any]]:
            body = {"id": "run", "data": {"feed": name, **data}, "meta": {"latestAnswer": None}}
            return await server.ask("POST", "/quotes/batch", json=body)

        early, error = await ask()
        server.market.start()
        await until(lambda: server.market.is_available, "figures")
        status, said = await ask()
        _, scaled = await ask(decimals=8, sources=["coingecko"])
        elsewhere, told = await ask(sources=["kraken"])
        _, figures = await server.ask("GET", "/market-data/global")

    value = Decimal(said["result"])
    assert (404, 404, "NO_MARKET_DATA") == (early, error["statusCode"], error["error"]["name"])
    assert (200, 200, "run", said["result"]) == (status, said["statusCode"], said["jobRunID"], said["data"]["result"])
    assert float(value) == figures["totalMarketCap"]["usd"]
    assert ["coingecko"] == [used["source"] for used in said["data"]["sources"]]
    assert 0 == said["timestamps"]["providerIndicatedTimeUnixMs"] % 1000
    assert int(value * 10**8) == int(scaled["result"])
    assert (404, "UNKNOWN_PAIR") == (elsewhere, told["error"]["name"])


async def test_switched_off_is_404() -> None:
    """Nothing is asked and nothing served."""
    async with serving() as server:
        server.market.start()
        status, said = await server.ask("GET", "/market-data/global")
        _, state = await server.ask("GET", "/market-data/global/status")

    assert (404, "NO_MARKET_DATA") == (status, said["error"]["name"])
    assert (False, False) == (state["enabled"], state["available"])


async def test_numbers_keep_their_digits(session: aiohttp.ClientSession, exchange: LiteralExchange) -> None:
    """What CoinGecko writes is what a job reads, without a binary float between."""
    market = _market(session, exchange, ManualClock(NOW_MS))
    exchange.say(PATH, said().replace("3712345678901.5", "3712345678901.567890123456789"))
    await market.refresh()

    assert b'"usd":3712345678901.567890123456789' in orjson.dumps(figures_json(market.figures()))
