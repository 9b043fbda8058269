"""Kraken: an answer for each symbol, snapshots, heartbeats."""

from aiohttp.test_utils import TestClient
from aiohttp.web import Application, Request

from meshkit.clock import ManualClock
from tests.devkit.market.asking import is_near
from tests.devkit.market.talk import talk

Market = TestClient[Request, Application]


def kraken(method: str, *symbols: str, **more: object) -> dict[str, object]:
    """Return a request of the ticker channel."""
    return {"method": method, "params": {"channel": "ticker", "symbol": list(symbols), **more}, "req_id": 7}


async def test_kraken_answers_each_symbol_under_one_id(market: Market, clock: ManualClock) -> None:
    """Each symbol has its own acknowledgement and snapshot, all with the request's id; numbers, RFC 3339 times."""
    async with talk(market, clock, "/kraken/ws") as it:
        status = await it.hear()
        await it.say(kraken("subscribe", "BTC/USD", "XXX/USD", "DOGE/USD"))
        good, snapshot, bad, other = await it.hear_all(4)

    assert ("status", "online") == (status["channel"], status["data"][0]["system"])
    assert {"channel": "ticker", "symbol": "BTC/USD", "snapshot": True} == good["result"]
    assert ["method", "result", "success", "time_in", "time_out", "req_id"] == list(good)
    assert ("snapshot", "BTC/USD") == (snapshot["type"], snapshot["data"][0]["symbol"])
    assert isinstance(snapshot["data"][0]["last"], float)
    assert "2023-11-14T22:13:20.000000Z" == snapshot["data"][0]["timestamp"]
    assert (False, "Currency pair not supported XXX/USD", "XXX/USD", 7) == tuple(
        bad[key] for key in ("success", "error", "symbol", "req_id")
    )
    assert "DOGE/USD" == other["result"]["symbol"]


async def test_kraken_old_names_are_refused(market: Market, clock: ManualClock) -> None:
    """Version 2 knows BTC, not XBT."""
    async with talk(market, clock, "/kraken/ws") as it:
        await it.say(kraken("subscribe", "XBT/USD"))

        assert "Currency pair not supported XBT/USD" == (await it.hear_until(success=False))["error"]


async def test_kraken_second_subscription_is_an_error(market: Market, clock: ManualClock) -> None:
    """Who subscribes twice is told so."""
    async with talk(market, clock, "/kraken/ws") as it:
        await it.say(kraken("subscribe", "BTC/USD", snapshot=False))
        await it.say(kraken("subscribe", "BTC/USD", snapshot=False))

        assert "Already subscribed to one or more instruments" == (await it.hear_until(success=False))["error"]


async def test_kraken_updates_follow(market: Market, clock: ManualClock) -> None:
    """After the snapshot updates come with the price of their time."""
    async with talk(market, clock, "/kraken/ws") as it:
        await it.say(kraken("subscribe", "BTC/USD", snapshot=False))
        update = await it.hear_until(channel="ticker")

        assert "update" == update["type"]
        assert await is_near(market, "BTC/USD", update["data"][0]["last"])


async def test_kraken_heartbeat_when_quiet(market: Market, clock: ManualClock) -> None:
    """When a subscription has no data there is a heartbeat a second; ping is answered by pong."""
    await market.post("/control/kraken", json={"silence": True})
    async with talk(market, clock, "/kraken/ws") as it:
        await it.say(kraken("subscribe", "BTC/USD", snapshot=False))
        await it.hear_until(method="subscribe")

        assert {"channel": "heartbeat"} == await it.hear()
        await it.say({"method": "ping", "req_id": 9})
        assert 9 == (await it.hear_until(method="pong"))["req_id"]


async def test_kraken_closes_idle_connections(market: Market, clock: ManualClock) -> None:
    """Without a subscription a connection ends after a minute."""
    async with talk(market, clock, "/kraken/ws") as it:
        assert 1000 == await it.end()
        assert clock.monotonic() >= 60
