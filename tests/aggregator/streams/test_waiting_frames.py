"""What waits on a connection: the newest price of each market, in turn, and everything else in its order."""

import re
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.prices.pair import Pair
from services.aggregator.streams.catalog import DIALECTS
from services.aggregator.streams.protocol import Price, parse
from services.aggregator.streams.waiting_frames import Frame, WaitingFrames

# The one price of BTC in USDT as each provider sends it, and what looks like it but is more, or something else.
PRICES = {
    "binance": (
        '{"e":"24hrMiniTicker","E":1700000000000,"s":"BTCUSDT","c":"1","o":"1","h":"1","l":"1","v":"1","q":"1"}',
        '{"stream":"btcusdt@miniTicker","data":{"e":"24hrMiniTicker","E":1700000000000,"s":"BTCUSDT","c":"1"}}',
    ),
    "bybit": (
        '{"topic":"tickers.BTCUSDT","ts":1700000000000,"type":"snapshot","cs":1,"data":{"symbol":"BTCUSDT",'
        '"lastPrice":"1","bid1Price":"1","ask1Price":"1"}}',
        '{"success":true,"ret_msg":"","op":"subscribe","req_id":"1"}',
    ),
    "coinbase": (
        '{"type":"ticker","sequence":1,"product_id":"BTC-USDT","price":"1","best_bid":"1","best_ask":"1",'
        '"time":"2026-01-31T12:00:00.000000Z"}',
        '{"type":"subscriptions","channels":[{"name":"ticker","product_ids":["BTC-USDT"]}]}',
    ),
    "kraken": (
        '{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USDT","bid":1.0,"ask":1.0,"last":1.0}]}',
        '{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USDT","last":1.0},{"symbol":"A/B","last":1.0}]}',
    ),
    "kucoin": (
        '{"type":"message","topic":"/market/ticker:BTC-USDT","subject":"trade.ticker","data":{"price":"1",'
        '"bestBid":"1","bestAsk":"1","time":1700000000000}}',
        '{"type":"message","topic":"/market/ticker:BTC-USDT,ETH-USDT","subject":"trade.ticker","data":{"price":"1"}}',
    ),
    "okx": (
        '{"arg":{"channel":"tickers","instId":"BTC-USDT"},"data":[{"instType":"SPOT","instId":"BTC-USDT","last":"1",'
        '"bidPx":"1","askPx":"1","ts":"1700000000000"}]}',
        '{"arg":{"channel":"instruments","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","state":"suspend"}]}',
    ),
}
PRICE = re.compile(r"([A-C])=[0-9]+")
FRAMES = st.lists(st.sampled_from(["A=", "B=", "C=", "halt ", "pong "]), max_size=30)


def put(waiting: WaitingFrames, texts: Iterable[str]) -> int:
    """Add frames that came one after the other; return how many went for others."""
    return sum(waiting.put(Frame(text, float(number), number)) for number, text in enumerate(texts))


@given(FRAMES)
def test_only_prices_that_a_newer_one_follows_are_lost(kinds: list[str]) -> None:
    """Nothing else is, and between two messages that are no prices each market has one, the last of that time."""
    texts = [f"{kind}{number}" for number, kind in enumerate(kinds)]
    expected: list[str] = []
    since = 0
    for text in texts:
        if not PRICE.fullmatch(text):
            expected.append(text)
            since = len(expected)
            continue
        places = [place for place in range(since, len(expected)) if expected[place][0] == text[0]]
        expected[places[0] if places else len(expected) :] = [
            text,
            *(expected[places[0] + 1 :] if places else ()),
        ]
    waiting = WaitingFrames(PRICE)
    lost = put(waiting, texts)

    assert len(texts) - len(expected) == lost
    assert len(expected) == len(waiting)
    assert expected == [frame.data for frame in waiting.drain()]


def test_a_price_that_is_being_read_is_not_replaced() -> None:
    """What was taken is gone: the next price of the market waits for its own turn."""
    waiting = WaitingFrames(PRICE)
    put(waiting, ["A=1"])
    first = waiting.pop()
    put(waiting, ["A=2"])

    assert ("A=1", 1) == (first.data if first else None, len(waiting))


def test_twenty_thousand_messages_in_a_second_leave_none_older_than_a_quarter() -> None:
    """Where only 4,000 of them can be read, each that is read came within 250 ms: of 777 markets the newest."""
    waiting, oldest_ms, read = WaitingFrames(re.compile("([0-9]+)=.*")), 0, 0
    for ms in range(1_000):
        for each in range(20):
            waiting.put(Frame(f"{(ms * 20 + each) * 389 % 777}={ms}", ms / 1000, ms))
        for _ in range(4):
            frame = waiting.pop()
            if frame is not None:
                read += 1
                oldest_ms = max(oldest_ms, ms - frame.heard_ms)

    assert 4_000 == read
    assert oldest_ms <= 250
    assert len(waiting) <= 777


@pytest.mark.parametrize("source", sorted(PRICES))
def test_the_prices_of_a_dialect_are_told_without_reading(source: str) -> None:
    """The group is the symbol of the one price; one with a second row, or of another kind, is no such message."""
    dialect = DIALECTS[source]
    text, other = PRICES[source]
    assert dialect.RULES.price_frame is not None
    match = dialect.RULES.price_frame.fullmatch(text)
    (event,) = dialect.read(parse(text))

    assert isinstance(event, Price)
    assert match is not None
    assert event.symbol == match[1]
    assert dialect.RULES.price_frame.fullmatch(other) is None
    assert dialect.symbol(Pair("BTC", "USDT")) == match[1]
