"""What ends a connection and what does not, on real sockets."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest
from structlog.testing import capture_logs

from services.aggregator.prices.errors import MarketHalted
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.streams.protocol import Event
from tests.aggregator.streams.conftest import Opened
from tests.aggregator.streams.exchange import QuickStream, StreamExchange
from tests.aggregator.streams.test_symbols import Listed
from tests.waiting import until

BTC, ETH = Pair("BTC", "USD"), Pair("ETH", "USD")


class DefectiveStream(QuickStream):
    """A dialect with a defect of ours."""

    def read(self, message: Any) -> Iterable[Event]:
        """Break at one kind of message."""
        if isinstance(message, dict) and message.get("channel") == "defect":
            raise AttributeError("a defect")
        return super().read(message)


@pytest.mark.parametrize(
    "text",
    [
        '{"error":"EService:Unavailable","success":false}',
        '{"method":"subscribe","success":false,"error":"new words","symbol":"BTC/USD"}',
        '{"method":"subscribe","success":false,"error":"Currency pair not supported","req_id":77}',
        '{"method":"subscribe","success":false,"error":"new words","req_id":1}',
    ],
)
async def test_an_error_of_the_protocol_ends_its_connection(
    exchange: StreamExchange, opened: Opened, text: str
) -> None:
    """A connection on which the provider reports an error that is no symbol's is made anew, and prices go on."""
    opened.open(QuickStream(), BTC)
    await until(lambda: exchange.holds("BTC/USD"))
    await exchange.shout(text)
    await until(lambda: len(exchange.queries) == 2 and exchange.holds("BTC/USD"))
    await exchange.say("BTC/USD", "5")
    await until(lambda: bool(opened.prices))
    assert opened.metric('websocket_reconnects_total{reason="error",source="kraken"} 1.0')


async def test_a_defect_in_reading_costs_the_message(exchange: StreamExchange, opened: Opened) -> None:
    """A message that brings a defect of ours to light is counted as odd, and the next one has its price."""
    opened.open(DefectiveStream(), BTC)
    await until(lambda: exchange.holds("BTC/USD"))
    await exchange.shout('{"channel":"defect"}')
    await exchange.say("BTC/USD", "5")
    await until(lambda: bool(opened.prices))
    assert [Decimal(5)] == [tick.price for _, tick in opened.prices]
    assert 1 == len(exchange.queries)
    assert opened.metric('websocket_odd_messages_total{source="kraken"} 1.0')


async def test_odd_messages_are_told_once(exchange: StreamExchange, opened: Opened) -> None:
    """A hundred messages that are odd in one way are one line, and a hundred in the metrics."""
    opened.open(QuickStream(), BTC)
    await until(lambda: exchange.holds("BTC/USD"))
    with capture_logs() as logs:
        for number in range(100):
            await exchange.shout(f'{{"channel":"ticker","data":[{{"symbol":"BTC/USD","last":[{number}]}}]}}')
        await until(lambda: opened.metric('websocket_odd_messages_total{source="kraken"} 100.0'))
    told = [entry for entry in logs if entry["event"] == "stream_message_odd"]
    assert ["last: found a list, allowed: a decimal number"] == [entry["reason"] for entry in told]


async def test_a_row_beside_an_odd_one_has_its_price(exchange: StreamExchange, opened: Opened) -> None:
    """Of two rows of a message the good one counts."""
    opened.open(QuickStream(), BTC, ETH)
    await until(lambda: exchange.holds("BTC/USD", "ETH/USD"))
    await exchange.shout('{"channel":"ticker","data":[{"symbol":"ETH/USD","last":3},{"symbol":"BTC/USD","bid":1}]}')
    await until(lambda: bool(opened.prices))
    assert [(ETH, 3)] == [(pair, tick.price) for pair, tick in opened.prices]
    assert opened.metric('websocket_odd_messages_total{source="kraken"} 1.0')


@pytest.mark.parametrize(("status", "headers"), [(451, {}), (401, {}), (403, {}), (429, {"Retry-After": "3600"})])
async def test_who_refuses_us_is_not_asked_again_soon(
    exchange: StreamExchange, opened: Opened, status: int, headers: dict[str, str]
) -> None:
    """A refusal that stands, and a limit with a wait, are told once and followed by no connect of the next seconds."""
    exchange.refuse, exchange.refusal = 100, (status, headers)
    with capture_logs() as logs:
        opened.open(QuickStream(), BTC)
        await until(lambda: any(entry["event"] == "stream_down" for entry in logs))
        (told,) = [entry for entry in logs if entry["event"] == "stream_down"]
    assert (f"HTTP {status}", "warning") == (told["detail"], told["log_level"])
    assert told["wait_s"] >= 60


async def test_a_redirect_is_not_followed(exchange: StreamExchange, opened: Opened) -> None:
    """Prices come from where the configuration says; whoever sends us elsewhere is named, without its path and key."""
    elsewhere = exchange.url.replace("ws:", "http:")
    exchange.refuse, exchange.refusal = 1, (302, {"Location": f"{elsewhere}?token=secret"})
    with capture_logs() as logs:
        opened.open(QuickStream(), BTC)
        await until(lambda: bool(exchange.queries))
        await until(lambda: any(entry["event"] == "stream_down" for entry in logs))
    (told,) = [entry for entry in logs if entry["event"] == "stream_down"]
    assert "HTTP 302, which redirects to 127.0.0.1" == told["detail"]
    assert [""] == exchange.queries


class Halting(Listed):
    """A listing that is told of halts."""

    def __init__(self) -> None:
        super().__init__({BTC: "XXBTZUSD", ETH: "XETHZUSD"})
        self.halts: dict[Pair, str] = {}

    def halt(self, pair: Pair) -> str:
        return self.halts.get(pair, "")

    def tell(self, pair: Pair, status: str) -> None:
        self.halts[pair] = status

    def tell_all(self, status: str) -> None:
        self.halts = dict.fromkeys(self.names, status)


async def test_a_halted_market_has_no_price_on_its_stream(exchange: StreamExchange, opened: Opened) -> None:
    """What a stream says of a market that it, or the listing, calls halted is a refusal, until it is open again."""
    opened.open(QuickStream(), BTC, ETH, markets=Halting())
    await until(lambda: exchange.holds("BTC/USD", "ETH/USD"))
    expected: type
    for status, expected in (("cancel_only", MarketHalted), ("online", Tick)):
        opened.prices.clear()
        pairs = f'{{"pairs":[{{"symbol":"BTC/USD","status":"{status}"}}]}}'
        await exchange.shout(f'{{"channel":"instrument","type":"update","data":{pairs}}}')
        await exchange.say("BTC/USD", "5")
        await exchange.say("ETH/USD", "3")
        await until(lambda: len(opened.prices) == 2)
        found: dict[Pair, type] = {pair: type(outcome) for pair, outcome in opened.prices}
        assert {BTC: expected, ETH: Tick} == found


async def test_a_halted_system_has_no_prices(exchange: StreamExchange, opened: Opened) -> None:
    """A status of the system is one of each of its markets."""
    opened.open(QuickStream(), BTC, ETH, markets=Halting())
    await until(lambda: exchange.holds("BTC/USD", "ETH/USD"))
    await exchange.shout('{"channel":"status","data":[{"system":"maintenance"}]}')
    await exchange.say("BTC/USD", "5")
    await exchange.say("ETH/USD", "3")
    await until(lambda: len(opened.prices) == 2)
    found: set[type] = {type(outcome) for _, outcome in opened.prices}
    assert {MarketHalted} == found
