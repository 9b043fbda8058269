"""The routes that existing jobs and scripts know."""

import asyncio

from tests.aggregator.serving import serving
from tests.waiting import until

_NEVER = "1970-01-01T00:00:00.000Z"


async def test_the_registered_pairs_of_all_sources() -> None:
    """A pair is listed with its moments; what nobody asked for is not."""
    async with serving() as server:
        empty = await server.ask("GET", "/quote/pairs/all")
        await server.ask("GET", "/quote/kraken/BTC/USD")
        status, said = await server.ask("GET", "/quote/pairs/all")
        (row,) = said["pairs"]

    assert (200, {"pairs": []}) == empty
    assert (200, ["BTC", "USD"], "kraken", "100.5") == (status, row["pair"], row["source"], row["cachedPrice"])
    assert row["receivedAt"] == row["cachedAt"] == row["lastResponseAt"]
    assert all(row[moment] > "2020" for moment in ("registeredAt", "lastFetchAt", "lastRequestAt", "lastResponseAt"))


async def test_a_pair_without_a_price_says_so() -> None:
    """Moments that have not come are in 1970, and there is no cached price."""
    async with serving() as server:
        server.sources["kraken"].gate.clear()
        request = server.ask("GET", "/quotes/batch?pairs=BTC-USD")
        await request
        _, said = await server.ask("GET", "/quote/pairs/all")
        server.sources["kraken"].gate.set()
    (row,) = [row for row in said["pairs"] if row["source"] == "kraken"]

    assert _NEVER == row["lastResponseAt"]
    assert "cachedPrice" not in row


async def test_the_registered_pairs_of_one_source() -> None:
    """Only this source's pairs are listed, and an unknown source is 404."""
    async with serving() as server:
        await server.ask("GET", "/quote/kraken/BTC/USD")
        await server.ask("GET", "/quote/binance/ETH/USD")
        status, said = await server.ask("GET", "/quote/pairs/binance")
        unknown, error = await server.ask("GET", "/quote/pairs/nope")

    assert (200, "binance", [["ETH", "USD"]]) == (status, said["source"], [row["pair"] for row in said["pairs"]])
    assert (404, "UNKNOWN_SOURCE") == (unknown, error["error"]["name"])


async def test_ready_is_503_while_what_is_registered_has_no_price() -> None:
    """Whoever waits for it before the first request is let in; health is 200 with a fresh price only."""
    async with serving() as server:
        idle = await server.ask("GET", "/ready")
        unhealthy, _ = await server.ask("GET", "/health")
        server.sources["kraken"].gate.clear()
        asked = asyncio.create_task(server.ask("GET", "/quote/kraken/BTC/USD"))
        await until(lambda: bool(server.engine.status.pairs()), "the pair's registration")
        before = await server.ask("GET", "/ready")
        server.sources["kraken"].gate.set()
        await asked
        after = await server.ask("GET", "/ready")
        healthy, _ = await server.ask("GET", "/health")

    assert (200, {"status": "ready", "freshPairs": 0}, 503) == (*idle, unhealthy)
    assert (503, {"status": "no fresh price", "freshPairs": 0}) == before
    assert (200, {"status": "ready", "freshPairs": 1}, 200) == (*after, healthy)


async def test_a_bridge_may_name_any_known_feed() -> None:
    """Feeds whose names have spaces inside are found by name."""
    async with serving() as server:
        status, said = await server.ask("POST", "/quotes/batch", json={"data": {"feed": "rETH / ETH Exchange Rate"}})
        known, _ = await server.ask("POST", "/quotes/batch", json={"data": {"feed": "BTC / USD"}})

    # The test's engine has but two feeds; what matters is that the name is no malformed pair.
    assert (404, "UNKNOWN_PAIR") == (status, said["error"]["name"])
    assert 200 == known
