"""The value of all coins, asked of the simulated CoinGecko and of one that says what a test wants."""

from decimal import Decimal
from typing import Any

import aiohttp
import orjson
import pytest

from meshkit.clock import ManualClock, SystemClock
from services.aggregator.config import MarketDataConfig, read_market_data
from services.aggregator.engine.market_data import LONGEST_AGE_MS, MarketData, MarketDataTooOld, NoMarketData
from services.aggregator.metrics import open_registry
from services.aggregator.prices.errors import (
    MalformedAnswer,
    PriceRefused,
    ProviderFault,
    SourceRateLimited,
    UnknownPair,
)
from services.aggregator.web.market_data_routes import figures_json
from tests.aggregator.fakes import LiteralExchange
from tests.aggregator.serving import serving
from tests.aggregator.test_config import configuration
from tests.waiting import until

_PATH = "/api/v3/global"
_NOW_MS = 1_700_000_000_000


def _said(**changes: object) -> str:
    data: dict[str, Any] = {
        "active_cryptocurrencies": 17397,
        "markets": 1476,
        "total_market_cap": {"usd": 3712345678901.5, "btc": 33_000_000},
        "total_volume": {"usd": 1.5e11},
        "market_cap_percentage": {"btc": 57.1},
        "market_cap_change_percentage_24h_usd": -1.6,
        "updated_at": _NOW_MS // 1000,
    }
    return orjson.dumps({"data": {**data, **changes}}).decode()


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


async def test_a_jump_is_not_served_however_often_it_is_said(
    session: aiohttp.ClientSession, exchange: LiteralExchange
) -> None:
    """A value far off is refused and counted until its rate allows it; one ten times as high is for good."""
    clock, metrics = ManualClock(_NOW_MS), open_registry()
    market = MarketData(session, MarketDataConfig(base_url=exchange.url), clock, metrics)
    exchange.say(_PATH, _said(total_market_cap={"usd": 4e12}), _said(total_market_cap={"usd": 4.1e12}))
    for _ in range(2):
        await market.refresh()
    for value, expected in ((41e12, "another unit"), (6e12, "far from the last price")):
        exchange.say(_PATH, _said(total_market_cap={"usd": value}))
        for _ in range(3):
            clock.advance(60)
            with pytest.raises(PriceRefused, match=expected):
                await market.refresh()

            assert Decimal("4.1E12") == market.quote().price
    clock.advance(5 * 60)
    await market.refresh()

    assert Decimal("6E12") == market.quote().price
    assert b'refused_prices_total{reason="unit",source="coingecko"} 3.0' in metrics.render()
    assert b'refused_prices_total{reason="rate",source="coingecko"} 3.0' in metrics.render()


async def test_the_value_as_a_price_ends_with_the_figures(
    session: aiohttp.ClientSession, exchange: LiteralExchange
) -> None:
    """It expires when the figures are too old by CoinGecko's time, and from then on is an error."""
    clock = ManualClock(_NOW_MS)
    market = _market(session, exchange, clock)
    exchange.say(_PATH, _said(updated_at=_NOW_MS // 1000 - 600))
    await market.refresh()
    quote = market.quote()

    assert clock.monotonic() + LONGEST_AGE_MS / 1000 - 600 == quote.expires_at
    assert (_NOW_MS, _NOW_MS - 600_000) == (quote.received_ms, quote.sources[0].exchange_time_ms)
    with pytest.raises(UnknownPair):
        market.quote(["kraken"])
    clock.advance(LONGEST_AGE_MS / 1000 - 599)
    with pytest.raises(MarketDataTooOld):
        market.quote()


async def test_switched_off_is_404() -> None:
    """Nothing is asked and nothing served."""
    async with serving() as server:
        server.market.start()
        status, said = await server.ask("GET", "/market-data/global")
        _, state = await server.ask("GET", "/market-data/global/status")

    assert (404, "NO_MARKET_DATA") == (status, said["error"]["name"])
    assert (False, False) == (state["enabled"], state["available"])


async def test_figures_that_are_too_old_are_an_error(session: aiohttp.ClientSession, exchange: LiteralExchange) -> None:
    """They are served up to the bound by CoinGecko's own time, however often the calls fail, and never after."""
    clock = ManualClock(_NOW_MS)
    market = _market(session, exchange, clock)
    exchange.say(_PATH, _said(), (500, "{}"))
    await market.refresh()
    with pytest.raises(ProviderFault):
        await market.refresh()
    clock.advance(LONGEST_AGE_MS / 1000)

    assert market.figures().markets == 1476
    clock.advance(1)
    with pytest.raises(MarketDataTooOld, match="allowed are 1800000"):
        market.figures()
    assert (False, LONGEST_AGE_MS + 1000) == (market.is_available, market.age_ms)


async def test_numbers_keep_their_digits(session: aiohttp.ClientSession, exchange: LiteralExchange) -> None:
    """What CoinGecko writes is what a job reads, without a binary float between."""
    market = _market(session, exchange, ManualClock(_NOW_MS))
    exchange.say(_PATH, _said().replace("3712345678901.5", "3712345678901.567890123456789"))
    await market.refresh()

    assert b'"usd":3712345678901.567890123456789' in orjson.dumps(figures_json(market.figures()))


@pytest.mark.parametrize(
    "changes",
    [
        {"total_market_cap": {"usd": -1}},
        {"total_market_cap": {"usd": 0}},
        {"total_market_cap": {"eur": 1}},
        {"total_market_cap": {"usd": "NaN"}},
        {"total_market_cap": {"usd": 1e60}},
        {"total_market_cap": None},
        {"updated_at": _NOW_MS // 1000 + 3600},
        {"updated_at": "yesterday"},
    ],
)
async def test_figures_that_cannot_be_are_refused(
    session: aiohttp.ClientSession, exchange: LiteralExchange, changes: dict[str, object]
) -> None:
    """They are an error of the source, and the figures before stay."""
    market = _market(session, exchange, ManualClock(_NOW_MS))
    exchange.say(_PATH, _said(), _said(**changes))
    await market.refresh()
    with pytest.raises(MalformedAnswer):
        await market.refresh()

    assert market.figures().active_cryptocurrencies == 17397


async def test_a_limit_is_told_apart(session: aiohttp.ClientSession, exchange: LiteralExchange) -> None:
    """A limit answer carries its wait."""
    market = _market(session, exchange, ManualClock(_NOW_MS))
    exchange.say(_PATH, (429, "{}", {"Retry-After": "7"}))
    with pytest.raises(SourceRateLimited) as caught:
        await market.refresh()

    assert 7_000 == caught.value.retry_after_ms
    with pytest.raises(NoMarketData, match="no call has succeeded"):
        market.figures()


async def test_older_figures_do_not_replace_newer_ones(
    session: aiohttp.ClientSession, exchange: LiteralExchange
) -> None:
    """An answer of a cache that lags behind changes nothing."""
    market = _market(session, exchange, ManualClock(_NOW_MS))
    exchange.say(_PATH, _said(markets=2), _said(markets=1, updated_at=_NOW_MS // 1000 - 60))
    await market.refresh()
    await market.refresh()

    assert 2 == market.figures().markets


async def test_a_failed_call_is_repeated(session: aiohttp.ClientSession, exchange: LiteralExchange) -> None:
    """The task goes on after failures, and figures come as soon as CoinGecko does."""
    exchange.say(_PATH, (500, "{}"), "no json", _said(updated_at=SystemClock().time_ms() // 1000))
    config = MarketDataConfig(base_url=exchange.url, interval_ms=100)
    market = MarketData(session, config, SystemClock(), open_registry())
    market.start()
    await until(lambda: market.is_available, "figures")
    await market.close()

    assert 3 <= len(exchange.asked)


def test_settings_are_those_of_coingecko() -> None:
    """Address and key come from the source's settings, the interval from marketData."""
    given = {
        "proxy": "http://proxy.example:3128",
        "sources": {"coingecko": {"baseUrl": "http://127.0.0.1:1/coingecko", "apiKey": "k", "timeoutMs": 3000}},
        "marketData": {"coingeckoGlobal": {"refreshIntervalMs": 20_000, "useProxy": True}},
    }
    expected = MarketDataConfig(True, 20_000, "http://127.0.0.1:1/coingecko", 3_000, "k", "http://proxy.example:3128")

    assert expected == read_market_data(configuration(given))


def test_nobody_is_asked_whom_the_configuration_does_not_name() -> None:
    """Without a source CoinGecko the figures are off, so that a mesh on simulated sources asks nobody outside."""
    assert not read_market_data(configuration({"sources": {"binance": {}}})).enabled
    assert read_market_data(configuration({"sources": {"coingecko": {"enabled": False}}})).enabled
