"""The second feeds of Coinbase and CryptoCompare say what these document."""

from aiohttp.test_utils import TestClient
from aiohttp.web import Application, Request

from meshkit.clock import ManualClock
from tests.devkit.market.asking import is_near
from tests.devkit.market.talk import talk

Market = TestClient[Request, Application]
ADVANCED = "/coinbase/advanced/ws"
LEGACY = "/cryptocompare/v2?api_key=k"


def advanced(channel: str, *products: str) -> dict[str, object]:
    """Return a subscription of one channel."""
    return {"type": "subscribe", "product_ids": list(products), "channel": channel}


async def test_advanced_trade_numbers_its_envelopes(market: Market, clock: ManualClock) -> None:
    """The list of subscriptions, a snapshot and updates come in envelopes numbered without gaps."""
    async with talk(market, clock, ADVANCED) as it:
        await it.say(advanced("ticker", "BTC-USD"))
        listed, snapshot, update = await it.hear_all(3)

        assert [0, 1, 2] == [message["sequence_num"] for message in (listed, snapshot, update)]
        assert ("subscriptions", [{"subscriptions": {"ticker": ["BTC-USD"]}}]) == (listed["channel"], listed["events"])
        assert ["snapshot", "update"] == [message["events"][0]["type"] for message in (snapshot, update)]
        assert "2023-11-14T22:13:20.000000Z" == snapshot["timestamp"]
        assert await is_near(market, "BTC/USD", update["events"][0]["tickers"][0]["price"])


async def test_advanced_trade_heartbeats_keep_a_quiet_channel(market: Market, clock: ManualClock) -> None:
    """Without updates a connection ends after 90 s, unless it has the heartbeats channel."""
    async with market.post("/control/coinbase", json={"silence": True}):
        pass
    async with talk(market, clock, ADVANCED) as kept, talk(market, clock, ADVANCED) as closed:
        await kept.say(advanced("heartbeats"))
        await closed.say(advanced("ticker", "BTC-USD"))
        await closed.hear()

        assert 1000 == await closed.end(step_s=10)
        assert clock.monotonic() >= 90
        beat = await kept.hear_until(channel="heartbeats")
        assert ["current_time", "heartbeat_counter"] == list(beat["events"][0])


async def test_advanced_trade_refuses_unknown_products(market: Market, clock: ManualClock) -> None:
    """An unknown product is an error, and nothing is subscribed."""
    async with talk(market, clock, ADVANCED) as it:
        await it.say(advanced("ticker", "BTC-USD", "NOSUCH-USD"))

        assert {"type": "error", "message": "invalid product_ids: NOSUCH-USD"} == await it.hear()


async def test_legacy_streamer_conversation(market: Market, clock: ManualClock) -> None:
    """Welcome 20, 16 for a good subscription with data 5 and 3, 500 for a bad one and a second time."""
    good = "5~CCCAGG~BTC~USD"
    async with talk(market, clock, LEGACY) as it:
        assert "20" == (await it.hear())["TYPE"]
        await it.say({"action": "SubAdd", "subs": [good, "5~CCCAGG~NO~USD", good]})
        complete, data, loaded, bad, again = await it.hear_all(5)

        assert ["16", "5", "3", "500", "500"] == [m["TYPE"] for m in (complete, data, loaded, bad, again)]
        assert ("INVALID_SUB", "SUBSCRIPTION_ALREADY_ACTIVE") == (bad["MESSAGE"], again["MESSAGE"])
        assert await is_near(market, "BTC/USD", data["PRICE"])


async def test_legacy_streamer_sends_only_what_changed(market: Market, clock: ManualClock) -> None:
    """Some updates have a price with its time, others have neither."""
    async with talk(market, clock, LEGACY) as it:
        await it.say({"action": "SubAdd", "subs": ["5~CCCAGG~BTC~USD"]})
        await it.hear_until(TYPE="3")
        updates = await it.hear_all(4)

        assert {(True, True), (False, False)} == {("PRICE" in update, "LASTUPDATE" in update) for update in updates}


async def test_legacy_streamer_refuses_a_bad_key(market: Market, clock: ManualClock) -> None:
    """A bad key is told by 401 before the close."""
    async with talk(market, clock, "/cryptocompare/v2?api_key=refused") as it:
        assert "401" == (await it.hear())["TYPE"]
        assert 1008 == await it.end()
