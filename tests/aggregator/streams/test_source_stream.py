"""Streams on real sockets: what goes wrong between us and an exchange, and what must come of it."""

import asyncio
import itertools
import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.prices.pair import Pair
from services.aggregator.streams import dial
from services.aggregator.streams.source_stream import allot
from tests.aggregator.streams.conftest import Opened
from tests.aggregator.streams.exchange import (
    FIRST_MS,
    OnceStream,
    PingingStream,
    QuickStream,
    QuietStream,
    ShortStream,
    StreamExchange,
)
from tests.waiting import until

PAIRS = tuple(Pair(base, "USD") for base in ("ADA", "BTC", "DOT", "ETH", "LTC", "SOL", "XRP"))
BTC, ETH, SOL = PAIRS[1], PAIRS[3], PAIRS[5]


async def test_a_price_arrives_exactly(exchange: StreamExchange, opened: Opened) -> None:
    """A JSON number of many digits arrives as the decimal that was written, with the exchange's time."""
    opened.open(QuickStream(), BTC)
    await until(lambda: exchange.holds("BTC/USD"))
    await exchange.say("BTC/USD", "0.1000000000000000055511151231257827", FIRST_MS + 1_234)
    await until(lambda: bool(opened.prices))
    pair, tick = opened.prices[0]
    assert (BTC, Decimal("0.1000000000000000055511151231257827"), FIRST_MS + 1_234) == (
        pair,
        tick.price,
        tick.exchange_time_ms,
    )


async def test_batches(exchange: StreamExchange, opened: Opened) -> None:
    """Pairs are subscribed in messages of the allowed size, on as many connections as they need, each once."""
    opened.open(QuickStream(), *PAIRS)
    await until(lambda: exchange.holds(*map(str, PAIRS)))
    sizes = [[len(message["params"]["symbol"]) for _, message in sent] for sent in exchange.messages]  # type: ignore[index]
    assert [[2], [3, 2]] == sorted(sizes)


async def test_the_message_rate(exchange: StreamExchange, opened: Opened) -> None:
    """Two messages are at least the configured time apart."""
    opened.open(QuickStream(), *PAIRS[:4], batch_size=1, rate_limit_ms=60)
    await until(lambda: exchange.holds(*map(str, PAIRS[:4])))
    moments = [moment for moment, _ in exchange.messages[0]]
    assert all(later - earlier >= 0.045 for earlier, later in itertools.pairwise(moments))


async def test_a_reconnect_subscribes_to_what_is_wanted_then(exchange: StreamExchange, opened: Opened) -> None:
    """After each of many disconnects every wanted pair is subscribed once, and ticks come once (defect 2)."""
    stream = opened.open(QuickStream(), BTC, ETH)
    for count in range(1, 4):
        await until(lambda: exchange.holds("BTC/USD", "ETH/USD"))
        await exchange.hang_up()
        await until(lambda count=count: len(exchange.asked) > count)  # type: ignore[misc]
    await until(lambda: exchange.holds("BTC/USD", "ETH/USD"))
    assert [["BTC/USD", "ETH/USD"]] * 4 == exchange.asked
    await exchange.say("BTC/USD", "1")
    await exchange.say("ETH/USD", "2")
    await until(lambda: len(opened.prices) >= 2)
    assert [BTC, ETH] == [pair for pair, _ in opened.prices]
    stream.want([ETH])
    await until(lambda: exchange.holds("ETH/USD"))
    assert opened.metric('websocket_reconnects_total{reason="closed",source="kraken"} 3.0')
    assert opened.metric('websocket_connections{source="kraken"} 1.0')


async def test_changes_while_it_connects_are_not_lost(exchange: StreamExchange, opened: Opened) -> None:
    """Pairs that are registered while the connection is being made are streamed too (defect 21)."""
    stream = opened.open(QuickStream(), BTC)
    await asyncio.sleep(0)
    stream.want([BTC, ETH])
    await until(lambda: len(exchange.open) == 1)
    stream.want([BTC, ETH, SOL])
    await until(lambda: exchange.holds("BTC/USD", "ETH/USD", "SOL/USD"))


async def test_a_handshake_has_an_end(
    exchange: StreamExchange, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A provider that takes connections and says nothing is given up and tried again, and holds up no other (21)."""
    monkeypatch.setattr(dial, "HANDSHAKE_S", 0.2)
    connects = 0

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connects
        connects += 1
        await reader.read()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    silent = opened.open(QuickStream(), ETH, ws_url=f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/v2")
    opened.open(QuickStream(), BTC)
    await until(lambda: exchange.holds("BTC/USD"))
    await until(lambda: connects >= 3)
    assert not silent.state.connected
    await silent.close()
    server.close()


@pytest.mark.parametrize(
    "row",
    [
        '{"symbol":"BTC/USD","bid":5,"ask":5,"timestamp":"2023-11-14T22:13:20.000000Z"}',
        '{"symbol":"BTC/USD","bid":5,"ask":5,"last":null,"timestamp":"2023-11-14T22:13:20.000000Z"}',
        '{"symbol":"BTC/USD","bid":5,"ask":5,"last":6,"timestamp":null}',
    ],
)
async def test_a_missing_number_is_no_price(exchange: StreamExchange, opened: Opened, row: str) -> None:
    """Neither "undefined" nor a time is taken for a price where the message lacks one (defect 1)."""
    opened.open(QuickStream(), BTC)
    await until(lambda: exchange.holds("BTC/USD"))
    await exchange.shout(f'{{"channel":"ticker","type":"update","data":[{row}]}}')
    await exchange.say("BTC/USD", "5")
    await until(lambda: bool(opened.prices))
    said = [tick.price for _, tick in opened.prices]
    assert [None] * (len(said) - 1) + [Decimal(5)] == said


async def test_one_rejected_symbol(exchange: StreamExchange, opened: Opened) -> None:
    """A symbol that the exchange rejects marks itself only: it is left to REST, also after a reconnect."""
    exchange.unknown = {"ETH/USD"}
    opened.open(QuickStream(), BTC, ETH, SOL)
    await until(lambda: exchange.holds("BTC/USD", "SOL/USD"))
    await exchange.hang_up()
    await until(lambda: len(exchange.asked) == 2 and exchange.holds("BTC/USD", "SOL/USD"))
    assert [["BTC/USD", "ETH/USD", "SOL/USD"], ["BTC/USD", "SOL/USD"]] == exchange.asked


async def test_nothing_but_rejected_symbols_needs_no_connection(exchange: StreamExchange, opened: Opened) -> None:
    """A connection whose symbols are all rejected is closed and not made again."""
    exchange.unknown = {"BTC/USD"}
    stream = opened.open(QuickStream(), BTC)
    await until(lambda: exchange.asked == [["BTC/USD"]] and not exchange.open)
    await asyncio.sleep(0.2)
    assert 1 == len(exchange.queries)
    assert not stream.state.connected


async def test_a_half_open_connection(exchange: StreamExchange, opened: Opened) -> None:
    """A connection on which nothing comes any more is given up after the silence limit."""
    opened.open(QuickStream(), BTC)
    await until(lambda: exchange.holds("BTC/USD"))
    exchange.mute = True
    await until(lambda: len(exchange.queries) == 2)
    exchange.mute = False
    await until(lambda: len(exchange.open) == 1 and exchange.holds("BTC/USD"))
    assert 'websocket_reconnects_total{reason="silent",source="kraken"}' in opened.metrics.render().decode()


async def test_heartbeats_keep_a_quiet_market_alive(exchange: StreamExchange, opened: Opened) -> None:
    """A connection without prices but with heartbeats lasts longer than the silence limit."""
    stream = opened.open(QuickStream(), BTC)
    await until(lambda: exchange.holds("BTC/USD"))
    await asyncio.sleep(2 * QuickStream.RULES.silence_s)
    assert 1 == len(exchange.queries)
    assert stream.state.connected


async def test_lost_subscriptions(exchange: StreamExchange, opened: Opened) -> None:
    """A provider that forgets our subscriptions but goes on with its heartbeats is subscribed to again."""
    opened.open(QuietStream(), BTC)
    await until(lambda: len(exchange.queries) == 2 and exchange.holds("BTC/USD"))
    assert 'websocket_reconnects_total{reason="quiet",source="kraken"}' in opened.metrics.render().decode()


async def test_a_removed_pair_is_unsubscribed(exchange: StreamExchange, opened: Opened) -> None:
    """What is no longer wanted is unsubscribed, and with nothing left the connection is closed."""
    stream = opened.open(QuickStream(), BTC, ETH)
    await until(lambda: exchange.holds("BTC/USD", "ETH/USD"))
    stream.want([ETH])
    await until(lambda: exchange.holds("ETH/USD"))
    stream.want([])
    await until(lambda: not exchange.open)
    assert 1 == len(exchange.queries)
    stream.want([SOL])
    await until(lambda: exchange.holds("SOL/USD"))


async def test_two_spellings_of_a_pair(exchange: StreamExchange, opened: Opened) -> None:
    """Two spellings that are one symbol are subscribed once, and both get its prices (defect 6)."""
    stream = opened.open(QuickStream(), BTC, Pair("btc", "usd"))
    await until(lambda: exchange.holds("BTC/USD"))
    await exchange.say("BTC/USD", "1")
    await until(lambda: len(opened.prices) == 2)
    assert {BTC, Pair("btc", "usd")} == {pair for pair, _ in opened.prices}
    stream.want([BTC])
    await asyncio.sleep(0.1)
    assert exchange.holds("BTC/USD")


async def test_renewal(exchange: StreamExchange, opened: Opened) -> None:
    """Before the end of its lifetime a connection is replaced by one that is subscribed first."""
    opened.open(ShortStream(), BTC, ETH)
    await until(lambda: len(exchange.queries) == 2 and exchange.holds("BTC/USD", "ETH/USD"))
    gaps: list[float] = []
    for number in range(40):
        await exchange.say("BTC/USD", "1", FIRST_MS + number)
        gaps.append(math.inf if not any("BTC/USD" in held for held in exchange.subscribed.values()) else 0)
        await asyncio.sleep(0.02)
    assert 0 == max(gaps)
    assert 2 == exchange.most_open
    assert len(exchange.queries) >= 3


async def test_one_connection_a_client(exchange: StreamExchange, opened: Opened) -> None:
    """Where a client may have one connection, what finds no room on it is left to REST."""
    opened.open(OnceStream(), *PAIRS)
    await until(lambda: exchange.holds(*map(str, PAIRS[:5])))
    await asyncio.sleep(0.1)
    assert 1 == len(exchange.queries)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "nonsense",
        "{",
        '{"channel":"ticker","data":[{"symbol":"BTC/USD"}]}',
        '{"channel":"ticker","data":[{"symbol":"BTC/USD","last":NaN}]}',
        '{"channel":"ticker","data":[{"symbol":"BTC/USD","last":1,"timestamp":"yesterday"}]}',
        '{"channel":"ticker","data":[{"symbol":"BTC/USD","last":1,"timestamp":"2023-11-14T22:13:20"}]}',
        '{"channel":"ticker","data":7}',
        "[" * 100_000,
    ],
)
async def test_odd_messages(exchange: StreamExchange, opened: Opened, text: str) -> None:
    """A message that cannot be read is counted, ends nothing, and brings no price."""
    opened.open(QuickStream(), BTC)
    await until(lambda: exchange.holds("BTC/USD"))
    await exchange.shout(text)
    await exchange.say("BTC/USD", "5")
    await until(lambda: bool(opened.prices))
    assert [Decimal(5)] == [tick.price for _, tick in opened.prices]
    assert opened.metric('websocket_odd_messages_total{source="kraken"} 1.0')


async def test_messages_that_a_newer_one_follows_are_counted(exchange: StreamExchange, opened: Opened) -> None:
    """Of prices that come at once the last is delivered, and those that are not read for it are counted."""
    opened.open(QuickStream(), BTC)
    await until(lambda: exchange.holds("BTC/USD"))
    for price in range(1, 201):
        await exchange.say("BTC/USD", str(price))
    await until(lambda: bool(opened.prices) and opened.prices[-1][1].price == 200)

    superseded = 200 - len(opened.prices)
    assert superseded > 0
    assert opened.metric(f'websocket_superseded_messages_total{{source="kraken"}} {superseded}.0')


async def test_pings(exchange: StreamExchange, opened: Opened) -> None:
    """Where the client has to ping it does, as often as the rules say."""
    opened.open(PingingStream(), BTC)

    await until(lambda: bool(exchange.messages) and [m["method"] for _, m in exchange.messages[0]].count("ping") >= 3)


async def test_without_auto_reconnect(exchange: StreamExchange, opened: Opened) -> None:
    """With autoReconnect off the first disconnect is the last."""
    stream = opened.open(QuickStream(), BTC, auto_reconnect=False)
    await until(lambda: exchange.holds("BTC/USD"))
    await exchange.hang_up()
    await until(lambda: not stream.state.connected)
    await asyncio.sleep(0.2)
    assert 1 == len(exchange.queries)


async def test_the_proxy_is_used(exchange: StreamExchange, opened: Opened) -> None:
    """The WebSocket goes through the configured proxy (defect 10)."""
    asked: list[str] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readline()).decode().strip())
        writer.close()

    proxy = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = proxy.sockets[0].getsockname()[1]
    opened.open(QuickStream(), BTC, ws_url="wss://exchange.invalid/v2", proxy=f"http://127.0.0.1:{port}")
    await until(lambda: bool(asked))
    proxy.close()
    await proxy.wait_closed()
    assert ["CONNECT exchange.invalid:443 HTTP/1.1"] == asked[:1]


async def test_the_state(exchange: StreamExchange, opened: Opened) -> None:
    """A stream is connected only while each connection in use is, and knows when its last message came."""
    stream = opened.open(QuickStream(), BTC)
    assert (False, None) == (stream.state.connected, stream.state.last_message_ms)
    await until(lambda: stream.state.connected and stream.state.last_message_ms is not None)
    await stream.close()
    assert not stream.state.connected
    assert opened.metric('websocket_connections{source="kraken"} 0.0')


@given(
    st.lists(st.lists(st.sampled_from("abcdefghij"), max_size=4, unique=True), max_size=3),
    st.lists(st.sampled_from("abcdefghijklmnop"), unique=True),
    st.integers(4, 6),
    st.none() | st.integers(3, 5),
)
def test_allotment(held: list[list[str]], wanted: list[str], room: int, most: int | None) -> None:
    """Each wanted symbol has at most one place, what has one keeps it, no connection is too full, none is lost."""
    seen: set[str] = set()
    distinct = [[s for s in symbols if not (s in seen or seen.add(s))] for symbols in held]  # type: ignore[func-returns-value]
    shares = allot(distinct, wanted, room, most)
    flat = [symbol for share in shares for symbol in share]
    assert len(flat) == len(set(flat))
    assert set(flat) <= set(wanted)
    assert all(len(share) <= room for share in shares)
    assert all(set(old) & set(wanted) <= set(new) for old, new in zip(distinct, shares, strict=False))
    if most is None:
        assert set(wanted) == set(flat)
