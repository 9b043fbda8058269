"""Each stream says what its source documents."""

import re
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import WSMsgType
from aiohttp.test_utils import TestClient
from aiohttp.web import Application, Request

from devkit.market.streams.stream import Rate, Session
from meshkit.clock import ManualClock
from tests.devkit.market.asking import is_near
from tests.devkit.market.talk import Talk, talk

Market = TestClient[Request, Application]


# Binance


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


# OKX


def okx(operation: str, *names: str) -> dict[str, object]:
    """Return a request of the tickers channel."""
    return {"op": operation, "args": [{"channel": "tickers", "instId": name} for name in names]}


async def test_okx_answers_each_argument(market: Market, clock: ManualClock) -> None:
    """Each argument has its own acknowledgement or error, and the good ones their ticker."""
    async with talk(market, clock, "/okx/ws") as it:
        await it.say(okx("subscribe", "BTC-USDT", "NOSUCH-USDT", "ETH-USDT"))
        good, bad, other, ticker = await it.hear_all(4)

        arg = {"channel": "tickers", "instId": "BTC-USDT"}
        assert {"event": "subscribe", "arg": arg, "connId": good["connId"]} == good
        assert ("error", "60018") == (bad["event"], bad["code"])
        assert "ETH-USDT" == other["arg"]["instId"]
        assert {"arg": arg, "data": ticker["data"]} == ticker
        assert "BTC-USDT" == ticker["data"][0]["instId"]
        assert await is_near(market, "BTC/USDT", ticker["data"][0]["last"])


async def test_okx_ping_is_bare_text(market: Market, clock: ManualClock) -> None:
    """The text ping is answered by the text pong."""
    async with talk(market, clock, "/okx/ws") as it:
        await it.say("ping")

        assert "pong" == await it.hear()


async def test_okx_closes_after_30_quiet_seconds(market: Market, clock: ManualClock) -> None:
    """Without a subscription and without pings the connection ends after 30 s."""
    async with talk(market, clock, "/okx/ws") as it:
        await it.say(okx("subscribe", "NOSUCH-USDT"))
        await it.hear()

        assert 4004 == await it.end(step_s=1)
        assert clock.monotonic() >= 30


async def test_okx_unsubscribe_ends_the_data(market: Market, clock: ManualClock) -> None:
    """After unsubscribe no ticker comes any more."""
    async with talk(market, clock, "/okx/ws") as it:
        await it.say(okx("subscribe", "BTC-USDT"))
        await it.hear_until(event="subscribe")
        await it.say(okx("unsubscribe", "BTC-USDT"))
        await it.hear_until(event="unsubscribe")
        clock.advance(5)
        await it.say("ping")

        assert "pong" == await it.hear()


async def test_okx_misunderstood(market: Market, clock: ManualClock) -> None:
    """What is no request has error 60012."""
    async with talk(market, clock, "/okx/ws") as it:
        await it.say("hello")

        assert "60012" == (await it.hear())["code"]


# Kraken


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


# Coinbase


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


# Bybit


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


# All

OPENINGS: tuple[tuple[str, Any], ...] = (
    ("/binance/ws", {"method": "SUBSCRIBE", "id": 1}),
    ("/okx/ws", {"op": "subscribe", "args": [1]}),
    ("/kraken/ws", {"method": "subscribe", "params": {"channel": "book"}}),
    ("/coinbase/ws", {"type": "subscribe"}),
    ("/cryptocompare/ws?api_key=k", {"action": "SUB_ADD", "subscriptions": [1]}),
    ("/finnhub/ws?token=k", {"type": "nonsense"}),
    ("/bybit/ws", {"op": "nonsense"}),
)


@pytest.mark.parametrize(("path", "wrong"), OPENINGS, ids=lambda value: value if isinstance(value, str) else "")
@pytest.mark.parametrize("text", ["{", "[]", '"x"', None])
async def test_nonsense_is_answered(
    market: Market, clock: ManualClock, path: str, wrong: object, text: str | None
) -> None:
    """Whatever a client says has an answer, and the connection stays."""
    async with talk(market, clock, path) as it:
        await it.say(wrong if text is None else text)
        await it.hear()

        assert not it.ws.closed


def test_rate_is_a_sliding_window() -> None:
    """Within any window only so many messages pass, and they pass again when the first are out of it."""
    session, rate = Session("s", 0), Rate(2, 1.0)

    assert [True, True, False, False, True] == [session.hear(t, rate) for t in (0.1, 0.2, 0.9, 1.15, 2.2)]
