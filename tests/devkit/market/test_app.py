"""Reference prices, health, and faults on command."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from aiohttp.web import Application, Request

from devkit.market.process import Pair, PriceProcess
from devkit.market.sources import DIALECTS
from meshkit.clock import ManualClock
from tests.devkit.market.conftest import NOW_MS

Market = TestClient[Request, Application]
PATHS = {
    "binance": "/binance/api/v3/ticker/price?symbol=BTCUSDT",
    "kraken": "/kraken/0/public/Ticker?pair=XBTUSD",
    "coinbase": "/coinbase/products/BTC-USD/ticker",
}


async def get(market: Market, path: str) -> tuple[int, Any]:
    """Return status and JSON of a GET."""
    async with market.get(path) as response:
        return response.status, await response.json()


async def set_fault(market: Market, source: str, **fault: object) -> int:
    """Set a source's fault and return the status of the control call."""
    async with market.post(f"/control/{source}", json=fault) as response:
        return response.status


async def test_health(market: Market) -> None:
    """Health lists the sources that are spoken."""
    sources = [dialect.source for dialect in DIALECTS]

    assert (200, {"status": "ok", "sources": sources}) == await get(market, "/healthz")


async def test_reference_is_plain_decimal_text_of_now(market: Market) -> None:
    """The reference is decimal text without exponent, at the market's time."""
    status, body = await get(market, "/reference?pairs=BTC/USD,shib/usd")
    process = PriceProcess(42)

    assert (200, NOW_MS, ["BTC/USD", "SHIB/USD"]) == (status, body["time_ms"], list(body["prices"]))
    assert all("e" not in text.lower() for text in body["prices"].values())
    assert Decimal(f"{process.price(Pair('SHIB', 'USD'), NOW_MS):.12g}") == Decimal(body["prices"]["SHIB/USD"])


async def test_reference_of_another_time(market: Market) -> None:
    """time_ms asks for the past or the future."""
    _, now = await get(market, "/reference?pairs=BTC/USD")
    _, then = await get(market, f"/reference?pairs=BTC/USD&time_ms={NOW_MS - 3_600_000}")

    assert NOW_MS - 3_600_000 == then["time_ms"]
    assert now["prices"] != then["prices"]


async def test_prices_follow_the_clock(market: Market, clock: ManualClock) -> None:
    """A minute later the price is another one."""
    before = await get(market, PATHS["coinbase"])
    clock.advance(60)

    assert before != await get(market, PATHS["coinbase"])


@pytest.mark.parametrize(
    ("query", "status", "name"),
    [
        ("", 400, "pairs"),
        ("?pairs=", 400, "pairs"),
        ("?pairs=BTCUSD", 400, "pairs"),
        ("?pairs=BTC/USD&time_ms=-1", 400, "time_ms"),
        ("?pairs=BTC/USD&time_ms=9999999999999999", 400, "time_ms"),
        ("?pairs=NOSUCH/USD", 404, "NOSUCH"),
    ],
)
async def test_bad_reference_request_says_what_is_wrong(market: Market, query: str, status: int, name: str) -> None:
    """The error names the field or the asset."""
    actual, body = await get(market, f"/reference{query}")

    assert status == actual
    assert name in body["error"]["message"]


@pytest.mark.parametrize(
    ("source", "status", "body"),
    [
        ("kraken", 200, {"error": ["EGeneral:Too many requests"]}),
        ("coinbase", 429, {"message": "Public rate limit exceeded"}),
    ],
)
async def test_limit_on_command(market: Market, source: str, status: int, body: object) -> None:
    """With limit set a source gives its own limit answer, and no other source does."""
    assert 200 == await set_fault(market, source, limit=True)

    assert (status, body) == await get(market, PATHS[source])
    assert 200 == (await get(market, PATHS["binance"]))[0]


async def test_binance_limit_says_when_to_come_back(market: Market) -> None:
    """Binance's limit answer is HTTP 429 with Retry-After and code -1003."""
    await set_fault(market, "binance", limit=True)

    async with market.get(PATHS["binance"]) as response:
        assert (429, "10", -1003) == (response.status, response.headers["Retry-After"], (await response.json())["code"])


async def test_body_on_command_may_be_malformed(market: Market) -> None:
    """A text body is sent as it stands, with the wanted status."""
    await set_fault(market, "kraken", status=502, body="<html>{bad")

    async with market.get(PATHS["kraken"]) as response:
        assert (502, "<html>{bad") == (response.status, await response.text())


async def test_json_body_on_command(market: Market) -> None:
    """Any other body is sent as JSON."""
    await set_fault(market, "coinbase", body={"price": None})

    assert (200, {"price": None}) == await get(market, PATHS["coinbase"])


async def test_latency_on_command(market: Market, clock: ManualClock) -> None:
    """With a latency the answer comes when that time has passed, and is the ordinary one."""
    await set_fault(market, "coinbase", latency_ms=5000)
    asked = asyncio.create_task(get(market, PATHS["coinbase"]))
    async with asyncio.timeout(10):
        while not (await get(market, "/control/coinbase"))[1]["requests"]:
            pass

    assert not asked.done()
    clock.advance(5)
    assert 200 == (await asked)[0]


async def test_delete_clears_the_fault(market: Market) -> None:
    """After DELETE a source answers as before."""
    before = await get(market, PATHS["kraken"])
    await set_fault(market, "kraken", limit=True)

    async with market.delete("/control/kraken") as response:
        body = await response.json()

        assert ({}, 1) == (body["fault"], body["requests"])
    assert before == await get(market, PATHS["kraken"])


async def test_requests_are_counted(market: Market) -> None:
    """Control tells how many requests reached a source, faulty ones too."""
    await get(market, PATHS["binance"])
    await set_fault(market, "binance", limit=True)
    await get(market, PATHS["binance"])

    status, body = await get(market, "/control/binance")

    assert (200, {"limit": True}, 2) == (status, body["fault"], body["requests"])
    assert {"/api/v3/ticker/price": 2} == body["calls"]


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('{"latency_ms": -1}', "latency_ms"),
        ('{"latency_ms": "5"}', "latency_ms"),
        ('{"status": 99}', "status"),
        ('{"mood": true}', "mood"),
        ('{"number": "seven"}', "number"),
        ('{"factor": 0}', "factor"),
        ('{"limit": "nosuch"}', "limit"),
        ("[]", "body"),
        ("{", "body"),
    ],
)
async def test_bad_fault_is_refused_by_name(market: Market, text: str, field: str) -> None:
    """A fault with a wrong field is refused with the field's name and changes nothing."""
    async with market.post("/control/binance", data=text) as response:
        body = await response.json()

        assert (400, field) == (response.status, body["error"]["metadata"]["field"])
    _, state = await get(market, "/control/binance")

    assert ({}, 0) == (state["fault"], state["requests"])


async def test_unknown_source_is_refused(market: Market) -> None:
    """A fault for an exchange that is not simulated is an error that lists those that are."""
    async with market.post("/control/krakn", json={}) as response:
        body = await response.json()

    allowed = ", ".join(sorted(dialect.source for dialect in DIALECTS))
    assert (404, f"no source 'krakn'; allowed: {allowed}") == (response.status, body["error"]["message"])
