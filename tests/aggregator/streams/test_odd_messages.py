"""What providers were seen to say against their documentation: it costs its own row, and never brings a wrong price."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregator.exact_json import CONTRADICTORY
from services.aggregator.prices.errors import PriceRefused
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.validate import accept
from services.aggregator.sources.shapes import Misshapen
from services.aggregator.streams.catalog import DIALECTS
from services.aggregator.streams.protocol import Complaint, Event, Failed, Halt, Odd, Price, Rejected, parse

D = Decimal
NOW_MS = 1_782_000_000_000
NOW = "2026-06-21T00:00:00Z"
# One message of prices as each provider sends it, the symbol in it, and where its price stands.
RECORDED: dict[str, tuple[dict[str, Any], str, tuple[str | int, ...]]] = {
    "binance": (
        {"e": "24hrMiniTicker", "E": NOW_MS, "s": "BTCUSDT", "c": "100", "o": "99", "v": "5"},
        "BTCUSDT",
        ("c",),
    ),
    "binance combined": (
        {
            "stream": "btcusdt@miniTicker",
            "data": {"e": "24hrMiniTicker", "E": NOW_MS, "s": "BTCUSDT", "c": "100", "o": "99", "v": "5"},
        },
        "BTCUSDT",
        ("data", "c"),
    ),
    "bybit": (
        {
            "topic": "tickers.BTCUSDT",
            "ts": NOW_MS,
            "type": "snapshot",
            "data": {"symbol": "BTCUSDT", "lastPrice": "100", "prevPrice24h": "99"},
        },
        "BTCUSDT",
        ("data", "lastPrice"),
    ),
    "coinbase": (
        {
            "type": "ticker",
            "product_id": "BTC-USD",
            "price": "100",
            "best_bid": "99.9",
            "best_ask": "100.1",
            "time": NOW,
            "sequence": 9,
        },
        "BTC-USD",
        ("price",),
    ),
    "cryptocompare": (
        {
            "TYPE": "1101",
            "MARKET": "cadli",
            "INSTRUMENT": "BTC-USD",
            "VALUE": 100,
            "VALUE_LAST_UPDATE_TS": NOW_MS // 1000,
        },
        "BTC-USD",
        ("VALUE",),
    ),
    "finnhub": (
        {"type": "trade", "data": [{"s": "BINANCE:BTCUSDT", "p": 100, "t": NOW_MS, "v": 1, "c": None}]},
        "BINANCE:BTCUSDT",
        ("data", 0, "p"),
    ),
    "kraken": (
        {
            "channel": "ticker",
            "type": "update",
            "data": [{"symbol": "BTC/USD", "bid": 99.9, "ask": 100.1, "last": 100, "volume": 7, "timestamp": NOW}],
        },
        "BTC/USD",
        ("data", 0, "last"),
    ),
    "kucoin": (
        {
            "type": "message",
            "topic": "/market/ticker:BTC-USDT",
            "subject": "trade.ticker",
            "data": {"price": "100", "bestAsk": "100.1", "bestBid": "99.9", "sequence": "1", "Time": NOW_MS},
        },
        "BTC-USDT",
        ("data", "price"),
    ),
    "okx": (
        {
            "arg": {"channel": "tickers", "instId": "BTC-USDT"},
            "data": [
                {
                    "instType": "SPOT",
                    "instId": "BTC-USDT",
                    "last": "100",
                    "askPx": "100.1",
                    "bidPx": "99.9",
                    "ts": str(NOW_MS),
                }
            ],
        },
        "BTC-USDT",
        ("data", 0, "last"),
    ),
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.decimals(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["0", "1e400", "-5", 1782000000000, "1782000000000", "ETH-USD", "ETHUSDT", CONTRADICTORY]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)  # fmt: skip


def read(name: str, message: object) -> list[Event]:
    """Return the events of a message."""
    return list(DIALECTS[name.partition(" ")[0]].read(message))


def places(value: object, above: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the way to every value of a message, itself included."""
    found = [above]
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found += places(inner, (*above, key))
    return found


def replaced(message: Any, place: tuple[str | int, ...], value: object) -> Any:
    """Return the message with another value in a place; an Ellipsis takes the place out."""
    if not place:
        return value
    copy = dict(message) if isinstance(message, dict) else list(message)
    if len(place) == 1 and value is ...:
        del copy[place[0]]  # type: ignore[arg-type]
    else:
        inner = None if len(place) == 1 else message[place[0]]
        copy[place[0]] = replaced(inner, place[1:], value)  # type: ignore[index]
    return copy


def prices(name: str, message: object) -> dict[str, Decimal]:
    """Return the prices that a message would have served, by symbol; nothing but a refusal may be raised."""
    found = {}
    try:
        events = read(name, message)
    except Misshapen:
        return {}
    for event in events:
        if isinstance(event, Price):
            try:
                quote = accept(
                    name, Pair("A", "B"), event.tick, received_ms=NOW_MS, received_at=0.0, ttl_ms=10_000,
                    max_age_ms=60_000,
                )  # fmt: skip
            except PriceRefused:
                continue
            found[event.symbol] = quote.price
    return found


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_the_recorded_messages_are_right(name: str) -> None:
    """Each has its one price, so that the properties below are about real messages."""
    message, symbol, _ = RECORDED[name]

    assert {symbol: D(100)} == prices(name, parse(json.dumps(message)))


@pytest.mark.parametrize("name", sorted(RECORDED))
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_value_in_any_field_is_a_right_price_or_none(name: str, data: st.DataObject) -> None:
    """Whatever stands wherever, the price is the one that was sent, or there is none; and nothing else is raised."""
    message, symbol, where = RECORDED[name]
    whole: Any = parse(json.dumps(message))
    place = data.draw(st.sampled_from(places(whole)[1:]))
    value = data.draw(JSON | st.just(...))
    found = prices(name, replaced(whole, place, value))

    if place == where and found:
        assert {symbol: D(str(value))} == found
    elif found:
        # A name without a second one beside it is all there is to tell a pair by.
        assert [D(100)] == list(found.values())
        assert symbol in found or value in found


@pytest.mark.parametrize("name", sorted(RECORDED))
@pytest.mark.parametrize("value", [NOW_MS, str(NOW_MS), D(f"{NOW_MS}.5"), NOW_MS // 1000, True, None, [], {}, "", -1])
def test_an_odd_time_is_a_time_or_a_refusal(name: str, value: object) -> None:
    """A text, a fraction or another unit in the place of a time raises nothing, and makes no price of another time."""
    message, symbol, _ = RECORDED[name]
    whole: Any = parse(json.dumps(message))
    for place in places(whole):
        if place and place[-1] in ("E", "ts", "time", "VALUE_LAST_UPDATE_TS", "t", "timestamp", "Time"):
            assert prices(name, replaced(whole, place, value)) in ({}, {symbol: D(100)})


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("kraken", {"symbol": "ETH/USD", "bid": 1, "ask": 2}),
        ("kraken", {"symbol": "ETH/USD", "last": [3]}),
        ("kraken", {"symbol": "ETH/USD", "last": 3, "timestamp": "yesterday"}),
        ("kraken", None),
        ("kraken", 7),
        ("kraken", {"last": 3}),
        ("okx", {"instId": "ETH-USDT", "ts": "5"}),
        ("okx", {"instId": ["ETH-USDT"], "last": "1", "ts": "5"}),
        ("okx", "x"),
        ("finnhub", {"s": "BINANCE:ETHUSDT", "p": 3}),
        ("finnhub", {"s": "BINANCE:ETHUSDT", "p": True, "t": NOW_MS}),
        ("finnhub", None),
    ],
)
def test_one_bad_row_costs_only_itself(name: str, bad: object) -> None:
    """The rows before and after it have their prices."""
    message, symbol, _ = RECORDED[name]
    whole: Any = parse(json.dumps(message))
    for rows in ([bad, *whole["data"]], [*whole["data"], bad]):
        events = read(name, {**whole, "data": rows})
        assert [symbol] == [event.symbol for event in events if isinstance(event, Price)]
        assert 1 == sum(isinstance(event, Odd) for event in events)


@pytest.mark.parametrize("name", ["kraken", "okx"])
def test_two_rows_of_one_symbol_are_none(name: str) -> None:
    """Two different prices of one symbol in one message are no price; two equal ones are one."""
    message, symbol, where = RECORDED[name]
    whole: Any = parse(json.dumps(message))
    row = whole["data"][0]

    assert {symbol: D(100)} == prices(name, {**whole, "data": [row, dict(row)]})
    assert {} == prices(name, {**whole, "data": [row, {**row, where[-1]: D(200)}]})


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("binance combined", ("stream",), "ethusdt@miniTicker"),
        ("binance combined", ("stream",), "btcusdt@trade"),
        ("bybit", ("topic",), "tickers.ETHUSDT"),
        ("bybit", ("topic",), "orderbook.1.BTCUSDT"),
        ("bybit", ("data", "symbol"), "ETHUSDT"),
        ("cryptocompare", ("MARKET",), "cchkex"),
        ("kucoin", ("topic",), "/market/snapshot:BTC-USDT"),
        ("kucoin", ("data", "symbol"), "ETH-USDT"),
        ("okx", ("arg", "instId"), "ETH-USDT"),
        ("okx", ("arg", "channel"), "mark-price"),
        ("okx", ("data", 0, "instType"), "SWAP"),
        ("okx", ("data", 0, "instId"), "ETH-USDT"),
    ],
)
def test_a_message_that_contradicts_itself_has_no_price(name: str, place: tuple[str | int, ...], value: object) -> None:
    """What a message says it is about must be one thing, and what was subscribed to."""
    assert {} == prices(name, replaced(parse(json.dumps(RECORDED[name][0])), place, value))


@pytest.mark.parametrize("name", ["coinbase", "kraken", "kucoin", "okx"])
@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("empty", [None, "", "0", "0.00000", 0, D("0.0"), ...])
def test_an_empty_side_of_the_book_is_no_matter(name: str, side: int, empty: object) -> None:
    """However it is told, and of which side, the price stands."""
    message, symbol, _ = RECORDED[name]
    whole: Any = parse(json.dumps(message))
    books = {"best_bid", "best_ask", "bid", "ask", "bestBid", "bestAsk", "bidPx", "askPx"}
    place = [place for place in places(whole) if place and place[-1] in books][side]

    assert {symbol: D(100)} == prices(name, replaced(whole, place, empty))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("kucoin", '{"type":"error","code":401,"data":"token is expired"}'),
        ("kucoin", '{"type":"error","data":"whatever"}'),
        ("kraken", '{"error":"EService:Unavailable","success":false}'),
        ("kraken", '{"method":"subscribe","success":false,"error":"ESession:Invalid session","symbol":"BTC/USD"}'),
        ("binance", '{"error":{"code":3,"msg":"Invalid JSON"},"id":null}'),
        ("binance", '{"code":2,"msg":"Invalid request"}'),
        ("binance", '{"error":"new words"}'),
        ("bybit", '{"success":false,"ret_msg":"new words","op":"auth"}'),
        ("coinbase", '{"type":"error","message":"Authentication Failed"}'),
        ("okx", '{"event":"error","code":"60011","msg":"Please log in"}'),
        ("finnhub", '{"type":"error","msg":"new words"}'),
        ("cryptocompare", '{"TYPE":"4003","MESSAGE":"new words"}'),
        ("cryptocompare", '{"TYPE":"500","MESSAGE":"x","error":"new words"}'),
    ],
)
def test_an_error_of_no_request_is_a_complaint(name: str, text: str) -> None:
    """In whatever words it comes, it ends the connection."""
    assert [Complaint] == [type(event) for event in read(name, parse(text))]


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("kucoin", '{"id":"4","type":"error","code":401,"data":"token is expired"}', "401 token is expired"),
        ("binance", '{"error":{"code":2,"msg":"x"},"id":4}', "2 x"),
        ("bybit", '{"success":false,"ret_msg":"new words","op":"subscribe","req_id":"4"}', "new words"),
        (
            "okx",
            '{"event":"error","code":"63999","msg":"Internal system error","id":"4"}',
            "63999 Internal system error",
        ),
    ],
)
def test_an_error_of_a_request_says_nothing_of_its_symbols_in_unknown_words(name: str, text: str, reason: str) -> None:
    """Only the provider's own words for an unknown symbol do."""
    (event,) = read(name, parse(text))

    assert Failed("4", reason) == event
    assert not any(word in reason.lower() for word in DIALECTS[name].RULES.unknown_words)


def test_a_symbol_that_is_gone_marks_itself() -> None:
    """Where the provider's error names it, its fellows go on."""
    (delisted,) = read("coinbase", parse('{"type":"error","message":"Failed","reason":"X-USD has been delisted"}'))
    (invalid,) = read("finnhub", parse('{"type":"error","msg":"Invalid symbol BINANCE:XUSDT"}'))

    assert isinstance(delisted, Rejected)
    assert isinstance(invalid, Rejected)
    assert ("X-USD", "BINANCE:XUSDT") == (delisted.symbol, invalid.symbol)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("kraken", '{"channel":"status","data":[{"system":"maintenance"}]}', [Halt("", "maintenance")]),
        ("kraken", '{"channel":"status","data":[{"system":"online"}]}', [Halt("", "")]),
        (
            "kraken",
            '{"channel":"instrument","type":"update","data":{"pairs":[{"symbol":"BTC/USD","status":"cancel_only"},'
            '{"symbol":"ETH/USD","status":"limit_only"},{"symbol":"X/USD"}]}}',
            [Halt("BTC/USD", "cancel_only"), Halt("ETH/USD", ""), Odd("status: found nothing, allowed: a text")],
        ),
        (
            "okx",
            '{"arg":{"channel":"instruments","instType":"SPOT"},"data":[{"instId":"BTC-USDT","state":"suspend"},'
            '{"instId":"ETH-USDT","state":"live"}]}',
            [Halt("BTC-USDT", "suspend"), Halt("ETH-USDT", "")],
        ),
        (
            "okx",
            '{"arg":{"channel":"tickers","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","last":"1","ts":"5",'
            '"state":"suspend"}]}',
            [Halt("BTC-USDT", "suspend")],
        ),
        (
            "coinbase",
            '{"type":"status","products":[{"id":"A-USD","status":"online","trading_disabled":true},'
            '{"id":"B-USD","status":"online","limit_only":true},{"id":"C-USD","status":"delisted"},'
            '{"id":"D-USD","status":"online","cancel_only":true}]}',
            [
                Halt("A-USD", "trading_disabled"),
                Halt("B-USD", ""),
                Halt("C-USD", "delisted"),
                Halt("D-USD", "cancel_only"),
            ],
        ),
    ],
)
def test_a_halt_is_heard_where_a_stream_tells_it(name: str, text: str, expected: list[Event]) -> None:
    """A market on which nobody trades is told by its status; one with limit orders only goes on."""
    assert expected == read(name, parse(text))
