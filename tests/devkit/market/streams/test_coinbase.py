"""Coinbase Exchange: all subscriptions in one answer, heartbeats."""

from decimal import Decimal

from aiohttp.test_utils import TestClient
from aiohttp.web import Application, Request

from meshkit.clock import ManualClock
from tests.devkit.market.talk import talk

Market = TestClient[Request, Application]


def coinbase(kind: str, *products: str, channels: tuple[str, ...] = ("ticker", "heartbeat")) -> dict[str, object]:
    """Return a request of the Exchange feed."""
    return {"type": kind, "product_ids": list(products), "channels": list(channels)}


async def test_coinbase_lists_all_subscriptions(market: Market, clock: ManualClock) -> None:
    """The answer lists the channels and products, then tickers and a heartbeat a second come."""
    async with talk(market, clock, "/coinbase/ws") as it:
        await it.say(coinbase("subscribe", "BTC-USD", "ETH-USD"))
        listed = await it.hear()
        ticker = await it.hear()
        beat = await it.hear_until(type="heartbeat")

    both = ["BTC-USD", "ETH-USD"]
    assert "subscriptions" == listed["type"]
    assert [("ticker", both), ("heartbeat", both)] == [(c["name"], c["product_ids"]) for c in listed["channels"]]
    assert ("ticker", "BTC-USD", "2023-11-14T22:13:20.000000Z") == (
        ticker["type"],
        ticker["product_id"],
        ticker["time"],
    )
    assert Decimal(ticker["best_bid"]) <= Decimal(ticker["price"]) <= Decimal(ticker["best_ask"])
    assert ["type", "sequence", "last_trade_id", "product_id", "time"] == list(beat)


async def test_coinbase_bad_product_refuses_the_message(market: Market, clock: ManualClock) -> None:
    """One unknown product is an error in words, and nothing of the message is subscribed."""
    async with talk(market, clock, "/coinbase/ws") as it:
        await it.say(coinbase("subscribe", "BTC-USD", "NOSUCH-USD"))

        reason = "NOSUCH-USD is not a valid product"
        assert {"type": "error", "message": "Failed to subscribe", "reason": reason} == await it.hear()
        assert 1008 == await it.end(step_s=1)


async def test_coinbase_wants_a_subscription_within_5_seconds(market: Market, clock: ManualClock) -> None:
    """A client that says nothing is closed."""
    async with talk(market, clock, "/coinbase/ws") as it:
        assert 1008 == await it.end(step_s=1)
        assert 5 <= clock.monotonic() < 15
