"""Streams on command: silence, half-open lines, disconnections, forgotten subscriptions, wrong numbers."""

import asyncio
from typing import Any

import pytest
from aiohttp import WSServerHandshakeError
from aiohttp.test_utils import TestClient
from aiohttp.web import Application, Request

from meshkit.clock import ManualClock
from tests.devkit.market.conftest import NOW_MS
from tests.devkit.market.talk import Talk, talk
from tests.waiting import until

Market = TestClient[Request, Application]
SUBSCRIBE = {"op": "subscribe", "args": [{"channel": "tickers", "instId": "BTC-USDT"}]}


async def control(market: Market, path: str = "okx", **body: object) -> Any:
    """Make a control call and return its answer."""
    async with market.post(f"/control/{path}", json=body) as response:
        assert 200 == response.status, await response.text()
        return await response.json()


async def stream(market: Market) -> Any:
    """Return the counters of OKX's stream."""
    async with market.get("/control/okx") as response:
        return (await response.json())["stream"]


async def subscribed(it: Talk) -> None:
    """Subscribe and hear the first ticker."""
    await it.say(SUBSCRIBE)
    await it.hear_until(event="subscribe")
    await it.hear()


async def test_silence_keeps_prices_back_and_nothing_else(market: Market, clock: ManualClock) -> None:
    """With silence no price comes, but a ping is still answered; without it prices come again."""
    async with talk(market, clock, "/okx/ws") as it:
        await subscribed(it)
        await control(market, silence=True)
        await it.say("ping")
        while "pong" != await it.hear():
            pass
        clock.advance(3)
        await it.say("ping")

        assert "pong" == await it.hear()
        await control(market)
        assert "data" in await it.hear()


async def test_half_open_never_answers(market: Market, clock: ManualClock) -> None:
    """Half-open connections are accepted and read, and nothing is ever sent, also when mended messages are late."""
    await control(market, half_open=True)
    async with talk(market, clock, "/okx/ws") as it:
        await it.say("ping")
        await it.say(SUBSCRIBE)
        clock.advance(60)
        await control(market)
        await it.say("ping")

        assert "pong" == await it.hear()
        assert (1, 0) == ((await stream(market))["received"], (await stream(market))["subscriptions"])


async def test_disconnect_with_the_notice(market: Market, clock: ManualClock) -> None:
    """The source's own notice comes before the close with the wanted code."""
    async with talk(market, clock, "/okx/ws") as it:
        await subscribed(it)
        done = asyncio.create_task(control(market, "okx/disconnect", code=1012, notice=True))

        assert "64008" == (await it.hear_until(event="notice"))["code"]
        assert 1012 == await it.end()
        assert {"disconnected": 1} == await done


async def test_disconnect_without_a_close_frame(market: Market, clock: ManualClock) -> None:
    """An abrupt disconnection has no close frame, which is code 1006."""
    async with talk(market, clock, "/okx/ws") as it:
        await subscribed(it)
        await control(market, "okx/disconnect", abrupt=True)

        assert 1006 == await it.end()
        await until(lambda: is_empty(market), "the connection is forgotten")


async def is_empty(market: Market) -> bool:
    """Tell whether no connection is open."""
    state = await stream(market)
    return bool(0 == state["open"])


async def test_dropped_subscriptions_are_not_told(market: Market, clock: ManualClock) -> None:
    """After a drop the connection lives and is silent, until the client subscribes again."""
    async with talk(market, clock, "/okx/ws") as it:
        await subscribed(it)

        assert {"dropped": 1} == await control(market, "okx/drop")
        await it.say("ping")
        while "pong" != await it.hear():
            pass
        clock.advance(3)
        await it.say("ping")
        assert "pong" == await it.hear()
        await subscribed(it)


async def test_lifetime_on_command(market: Market, clock: ManualClock) -> None:
    """A shorter life ends with the notice."""
    await control(market, lifetime_ms=5000)
    async with talk(market, clock, "/okx/ws") as it:
        await subscribed(it)

        assert "64008" == (await it.hear_until(event="notice"))["code"]
        assert 1001 == await it.end()
        assert clock.monotonic() >= 5


async def test_messages_are_cut(market: Market, clock: ManualClock) -> None:
    """A malformed message is the first half of the true one."""
    await control(market, malformed=True)
    async with talk(market, clock, "/okx/ws") as it:
        await it.say("ping")

        assert "po" == await it.hear()


async def test_wrong_numbers_and_times(market: Market, clock: ManualClock) -> None:
    """Streams are wrong as REST is."""
    await control(market, number="nan", shift_ms=-60_000)
    async with talk(market, clock, "/okx/ws") as it:
        await it.say(SUBSCRIBE)
        await it.hear()
        (ticker,) = (await it.hear())["data"]

    assert ("NaN", str(NOW_MS - 123 - 60_000)) == (ticker["last"], ticker["ts"])


async def test_limit_refuses_the_handshake(market: Market) -> None:
    """A source that refuses for its limit refuses connections as well."""
    await control(market, limit=True)

    with pytest.raises(WSServerHandshakeError) as error:
        await market.ws_connect("/okx/ws")
    assert 429 == error.value.status


async def test_counters_tell_what_happened(market: Market, clock: ManualClock) -> None:
    """Connections, messages and subscriptions are counted; connecting is no REST request."""
    async with talk(market, clock, "/okx/ws") as it:
        await subscribed(it)
        state = await stream(market)

        counts = {"accepted": 1, "refused": 0, "received": 1, "sent": 2, "closed_by_rule": 0}
        assert {"open": 1, "subscriptions": 1, **counts} == state
    async with market.get("/control/okx") as response:
        assert 0 == (await response.json())["requests"]


async def test_sources_without_a_stream_say_so(market: Market) -> None:
    """What needs a stream is refused for a source that has none."""
    async with market.post("/control/frankfurter/drop") as response:
        body = await response.json()

    assert "source 'frankfurter' has no stream" == body["error"]["message"]


@pytest.mark.parametrize(("body", "field"), [({"code": 5}, "code"), ({"abrupt": 1}, "abrupt"), ({"when": 1}, "when")])
async def test_bad_disconnection_is_refused(market: Market, body: dict[str, object], field: str) -> None:
    """A wrong field of a disconnection is named."""
    async with market.post("/control/okx/disconnect", json=body) as response:
        answer = await response.json()

    assert (400, field) == (response.status, answer["error"]["metadata"]["field"])
