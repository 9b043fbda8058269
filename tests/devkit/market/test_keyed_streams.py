"""The streams that want a key or a token, CryptoCompare, Finnhub and KuCoin, say what these document."""

import pytest
from aiohttp import WSServerHandshakeError
from aiohttp.test_utils import TestClient
from aiohttp.web import Application, Request

from meshkit.clock import ManualClock
from tests.devkit.market.asking import is_near
from tests.devkit.market.conftest import NOW_MS
from tests.devkit.market.talk import talk

Market = TestClient[Request, Application]


# CryptoCompare


def cadli(action: str, *instruments: str) -> dict[str, object]:
    """Return a request of the index."""
    subscriptions = [{"market": "cadli", "instrument": name} for name in instruments]
    return {"action": action, "type": "1101", "groups": ["VALUE"], "subscriptions": subscriptions}


async def test_cryptocompare_tells_everything_by_type(market: Market, clock: ManualClock) -> None:
    """Welcome 4000, accepted 4005, rejected 4006, data 1101 with value and time, heartbeat 4013 within 30 s."""
    async with talk(market, clock, "/cryptocompare/ws?api_key=k") as it:
        assert "4000" == (await it.hear())["TYPE"]
        await it.say(cadli("SUB_ADD", "BTC-USD", "NOSUCH-USD"))
        good, bad, data = await it.hear_all(3)

        assert ("4005", "4006") == (good["TYPE"], bad["TYPE"])
        assert ("1101", "cadli", "BTC-USD", NOW_MS // 1000) == tuple(
            data[key] for key in ("TYPE", "MARKET", "INSTRUMENT", "VALUE_LAST_UPDATE_TS")
        )
        assert await is_near(market, "BTC/USD", data["VALUE"])
        await it.hear_until(TYPE="4013")
        assert 30 <= clock.monotonic() < 35


@pytest.mark.parametrize("query", ["", "?api_key=refused"])
async def test_cryptocompare_refuses_a_bad_key(market: Market, clock: ManualClock, query: str) -> None:
    """A bad key is told by 4011 before the close."""
    async with talk(market, clock, f"/cryptocompare/ws{query}") as it:
        assert "4011" == (await it.hear())["TYPE"]
        assert 1008 == await it.end()


# Finnhub


async def test_finnhub_sends_trades_without_acknowledging(market: Market, clock: ManualClock) -> None:
    """No acknowledgement; several trades in a message, the greatest t being the market's price."""
    async with talk(market, clock, "/finnhub/ws?token=k") as it:
        await it.say({"type": "subscribe", "symbol": "BINANCE:BTCUSDT"})
        await it.say({"type": "subscribe", "symbol": "OANDA:EUR_USD"})
        message = await it.hear()
        while {"BINANCE:BTCUSDT", "OANDA:EUR_USD"} != {trade["s"] for trade in message["data"]}:
            message = await it.hear()
        newest = max((t for t in message["data"] if t["s"] == "BINANCE:BTCUSDT"), key=lambda trade: int(trade["t"]))

        assert ["type", "data"] == list(message)
        assert ["s", "p", "t", "v", "c"] == list(newest)
        assert 4 == len(message["data"])
        assert await is_near(market, "BTC/USDT", newest["p"])


async def test_finnhub_pings(market: Market, clock: ManualClock) -> None:
    """The server sends its own ping."""
    async with talk(market, clock, "/finnhub/ws?token=k") as it:
        assert {"type": "ping"} == await it.hear()


async def test_finnhub_limits_symbols(market: Market, clock: ManualClock) -> None:
    """The fifty-first symbol is an error."""
    async with market.get("/finnhub/api/v1/crypto/symbol?exchange=BINANCE&token=k") as response:
        symbols = [row["symbol"] for row in await response.json()][:51]
    async with talk(market, clock, "/finnhub/ws?token=k") as it:
        for symbol in symbols:
            await it.say({"type": "subscribe", "symbol": symbol})

        assert "Subscribing to too many symbols" == (await it.hear_until(type="error"))["msg"]


async def test_finnhub_allows_one_connection_a_key(market: Market, clock: ManualClock) -> None:
    """A second connection of a key, or a bad key, is refused at the handshake."""
    async with talk(market, clock, "/finnhub/ws?token=k"):
        for token, status in (("k", 429), ("refused", 401), ("", 401)):
            with pytest.raises(WSServerHandshakeError) as error:
                await market.ws_connect(f"/finnhub/ws?token={token}")
            assert status == error.value.status


# KuCoin


async def kucoin(market: Market) -> str:
    """Return the path that a new token opens."""
    async with market.post("/kucoin/api/v1/bullet-public") as response:
        body = await response.json()
    (server,) = body["data"]["instanceServers"]
    assert ("200000", 18000, 10000) == (body["code"], server["pingInterval"], server["pingTimeout"])
    assert server["endpoint"].endswith(f":{market.port}/kucoin/ws")
    return f"/kucoin/ws?token={body['data']['token']}&connectId=abc"


def topic(kind: str, names: str, **more: object) -> dict[str, object]:
    """Return a request of the ticker topic."""
    return {"id": "1", "type": kind, "topic": f"/market/ticker:{names}", "response": True, **more}


async def test_kucoin_token_welcome_ack_data(market: Market, clock: ManualClock) -> None:
    """The token's endpoint is the simulator's; then welcome, ack, and a ticker of each symbol under its own topic."""
    async with talk(market, clock, await kucoin(market)) as it:
        assert {"id": "abc", "type": "welcome"} == await it.hear()
        await it.say(topic("subscribe", "BTC-USDT,ETH-USDT"))
        assert {"id": "1", "type": "ack"} == await it.hear()
        first, second = await it.hear_all(2)

        assert ["/market/ticker:BTC-USDT", "/market/ticker:ETH-USDT"] == [first["topic"], second["topic"]]
        assert ("message", "trade.ticker") == (first["type"], first["subject"])
        assert isinstance(first["data"]["Time"], int)
        assert await is_near(market, "BTC/USDT", first["data"]["price"])


async def test_kucoin_all_tickers_spell_time_otherwise(market: Market, clock: ManualClock) -> None:
    """The topic of all names the symbol in the subject and writes time in lower case."""
    async with talk(market, clock, await kucoin(market)) as it:
        await it.say(topic("subscribe", "all"))
        await it.hear_until(type="ack")
        message = await it.hear()

        assert ("/market/ticker:all", True, False) == (
            message["topic"],
            "time" in message["data"],
            "Time" in message["data"],
        )


async def test_kucoin_unknown_topic(market: Market, clock: ManualClock) -> None:
    """An unknown symbol refuses the topic."""
    async with talk(market, clock, await kucoin(market)) as it:
        await it.say(topic("subscribe", "BTC-USDT,NOSUCH-USDT"))
        error = await it.hear_until(type="error")

        assert (404, "1") == (error["code"], error["id"])


async def test_kucoin_wants_pings_of_the_client(market: Market, clock: ManualClock) -> None:
    """A ping is answered by a pong; without pings the connection ends 28 s after the last."""
    async with talk(market, clock, await kucoin(market)) as it:
        await it.hear()
        clock.advance(20)
        await it.say({"id": "2", "type": "ping"})
        assert {"id": "2", "type": "pong"} == await it.hear()

        assert 1000 == await it.end(step_s=1)
        assert clock.monotonic() >= 48


@pytest.mark.parametrize("token", ["", "sim-1", "other-9999999999999"])
async def test_kucoin_refuses_a_bad_token(market: Market, clock: ManualClock, token: str) -> None:
    """A token that was not given or is a day old is refused after the handshake."""
    async with talk(market, clock, f"/kucoin/ws?token={token}") as it:
        message = await it.hear()

        assert (401, "token is invalid") == tuple(message[key] for key in ("code", "data"))
        assert 1000 == await it.end()
