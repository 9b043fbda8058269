"""OKX: an answer for each argument, pings as bare text."""

from aiohttp.test_utils import TestClient
from aiohttp.web import Application, Request

from meshkit.clock import ManualClock
from tests.devkit.market.asking import is_near
from tests.devkit.market.talk import talk

Market = TestClient[Request, Application]


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
