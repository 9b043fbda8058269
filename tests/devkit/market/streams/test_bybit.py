"""Bybit: one answer for all arguments, snapshots only."""

import pytest
from aiohttp.test_utils import TestClient
from aiohttp.web import Application, Request

from meshkit.clock import ManualClock
from tests.devkit.market.asking import is_near
from tests.devkit.market.talk import talk

Market = TestClient[Request, Application]


def bybit(operation: str, *names: str) -> dict[str, object]:
    """Return a request."""
    return {"req_id": "1", "op": operation, "args": [f"tickers.{name}" for name in names]}


async def test_bybit_acknowledges_and_sends_snapshots(market: Market, clock: ManualClock) -> None:
    """One acknowledgement for all arguments, then snapshots without a book."""
    async with talk(market, clock, "/bybit/ws") as it:
        await it.say(bybit("subscribe", "BTCUSDT", "ETHUSDT"))
        acknowledged, snapshot = await it.hear_all(2)

        connection = acknowledged["conn_id"]
        assert {
            "success": True,
            "ret_msg": "subscribe",
            "conn_id": connection,
            "req_id": "1",
            "op": "subscribe",
        } == acknowledged
        assert ["topic", "ts", "type", "cs", "data"] == list(snapshot)
        assert ("tickers.BTCUSDT", "snapshot") == (snapshot["topic"], snapshot["type"])
        assert "bid1Price" not in snapshot["data"]
        assert await is_near(market, "BTC/USDT", snapshot["data"]["lastPrice"])


async def test_bybit_ping(market: Market, clock: ManualClock) -> None:
    """The client's ping has a pong in ret_msg."""
    async with talk(market, clock, "/bybit/ws") as it:
        await it.say({"req_id": "100001", "op": "ping"})
        message = await it.hear()

        assert (True, "pong", "ping") == tuple(message[key] for key in ("success", "ret_msg", "op"))


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["NOSUCHUSDT", "BTCUSDT"], "Invalid symbol :[tickers.NOSUCHUSDT]"),
        (["BTCUSDT"] * 11, "args size >10"),
        ([], "error:args is empty"),
    ],
)
async def test_bybit_refuses_a_request(market: Market, clock: ManualClock, names: list[str], text: str) -> None:
    """An unknown symbol, more than ten arguments and none are refused in words."""
    async with talk(market, clock, "/bybit/ws") as it:
        await it.say(bybit("subscribe", *names))
        message = await it.hear()

        assert (False, text) == tuple(message[key] for key in ("success", "ret_msg"))
