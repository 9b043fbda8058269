"""Binance: raw and combined streams, names in lower case, pings that want pongs."""

import re

from aiohttp import WSMsgType
from aiohttp.test_utils import TestClient
from aiohttp.web import Application, Request

from meshkit.clock import ManualClock
from tests.devkit.market.asking import is_near
from tests.devkit.market.talk import Talk, talk

Market = TestClient[Request, Application]


async def test_binance_acknowledges_and_sends_mini_tickers(market: Market, clock: ManualClock) -> None:
    """SUBSCRIBE gives a null result under its id, then a mini ticker a second with the documented fields."""
    async with talk(market, clock, "/binance/ws") as it:
        await it.say({"method": "SUBSCRIBE", "params": ["btcusdt@miniTicker"], "id": 1})

        assert {"result": None, "id": 1} == await it.hear()
        event = await it.hear()
        assert ["e", "E", "s", "c", "o", "h", "l", "v", "q"] == list(event)
        assert ("24hrMiniTicker", "BTCUSDT") == (event["e"], event["s"])
        assert re.fullmatch(r"\d+\.\d{8}", event["c"])
        assert await is_near(market, "BTC/USDT", event["c"])
        assert event["E"] < (await it.hear())["E"]


async def test_binance_combined_stream_wraps(market: Market, clock: ManualClock) -> None:
    """The combined path names the stream beside the data, also of what the address subscribed to."""
    async with talk(market, clock, "/binance/stream?streams=btcusdt@miniTicker/ethusdt@trade") as it:
        first, second = await it.hear_all(2)

    assert ["btcusdt@miniTicker", "ethusdt@trade"] == [first["stream"], second["stream"]]
    assert ("24hrMiniTicker", "trade") == (first["data"]["e"], second["data"]["e"])


async def test_binance_raw_address_subscribes(market: Market, clock: ManualClock) -> None:
    """A stream's name in the raw path subscribes to it."""
    async with talk(market, clock, "/binance/ws/btcusdt@bookTicker") as it:
        assert ["u", "s", "b", "B", "a", "A"] == list(await it.hear())


async def test_binance_names_in_upper_case_stay_silent(market: Market, clock: ManualClock) -> None:
    """A name that is unknown or in upper case is acknowledged, and never has data."""
    async with talk(market, clock, "/binance/ws") as it:
        await it.say({"method": "SUBSCRIBE", "params": ["BTCUSDT@miniTicker", "nosuch@miniTicker"], "id": "a"})
        await it.say({"method": "LIST_SUBSCRIPTIONS", "id": 2})

        assert [{"result": None, "id": "a"}, {"result": [], "id": 2}] == await it.hear_all(2)


async def test_binance_hangs_up_at_the_sixth_message_of_a_second(market: Market, clock: ManualClock) -> None:
    """Five messages a second are answered, the sixth closes the connection."""
    async with talk(market, clock, "/binance/ws") as it:
        for number in range(6):
            await it.say({"method": "LIST_SUBSCRIPTIONS", "id": number})

        assert [0, 1, 2, 3, 4] == [message["id"] for message in await it.hear_all(5)]
        assert 1008 == await it.end()


async def test_binance_pings_and_wants_pongs(market: Market, clock: ManualClock) -> None:
    """The server pings after 20 s, and closes when no pong came within a minute."""
    async with talk(market, clock, "/binance/ws", autoping=False) as it:
        frame = await it.frame(step_s=1)

        assert WSMsgType.PING is frame.type
        assert clock.monotonic() >= 20
        assert 1008 == await it.end(step_s=1)
        assert clock.monotonic() >= 80


async def test_binance_keeps_who_answers_pings(market: Market, clock: ManualClock) -> None:
    """With pongs the connection outlives the minute, up to 24 hours."""
    async with talk(market, clock, "/binance/ws/btcusdt@miniTicker") as it:
        while clock.monotonic() < 200:
            await it.hear(step_s=1)

        assert ("serverShutdown", 1001) == (await last_event(it), it.ws.close_code)


async def last_event(it: Talk) -> str:
    """Return the last event before the connection ends of its age."""
    it.clock.advance(24 * 3600)
    event = ""
    while (frame := await it.frame(step_s=1)).type is WSMsgType.TEXT:
        event = frame.json()["e"]
    return event
