"""What the eight providers say, in the words of their documentation, and what we say to them."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.streams.catalog import DIALECTS
from services.aggregator.streams.protocol import (
    Alive,
    Complaint,
    Confirmed,
    Event,
    Failed,
    Leave,
    Price,
    Rejected,
    Welcome,
    dump,
    parse,
)

D = Decimal

MESSAGES: list[tuple[str, str, list[Event]]] = [
    (
        "binance",
        '{"e":"24hrMiniTicker","E":1672515782136,"s":"BNBBTC","c":"0.0025","o":"0.0010","h":"0.0025","l":"0.0010"}',
        [Price("BNBBTC", Tick("0.0025", 1672515782136))],
    ),
    (
        "binance",
        '{"stream":"bnbbtc@miniTicker","data":{"e":"24hrMiniTicker","E":1,"s":"BNBBTC","c":"0.0025"}}',
        [Price("BNBBTC", Tick("0.0025", 1))],
    ),
    ("binance", '{"result":null,"id":1}', [Confirmed(request_id="1")]),
    ("binance", '{"error":{"code":2,"msg":"Invalid request"},"id":3}', [Failed("3", "2 Invalid request")]),
    ("binance", '{"e":"serverShutdown","E":1672515782136}', [Leave("server shutdown")]),
    (
        "okx",
        '{"arg":{"channel":"tickers","instId":"BTC-USDT"},"data":[{"instType":"SPOT","instId":"BTC-USDT",'
        '"last":"113250.2","askPx":"113250.3","bidPx":"113250.2","ts":"1597026383085"}]}',
        [Price("BTC-USDT", Tick("113250.2", 1597026383085, "113250.2", "113250.3"))],
    ),
    (
        "okx",
        '{"arg":{},"data":[{"instId":"NEW-USDT","last":"1","askPx":"","bidPx":"","ts":"5"}]}',
        [Price("NEW-USDT", Tick("1", 5))],
    ),
    (
        "okx",
        '{"event":"subscribe","arg":{"channel":"tickers","instId":"BTC-USDT"},"connId":"a4d3ae55"}',
        [Confirmed("BTC-USDT")],
    ),
    (
        "okx",
        '{"event":"error","code":"60018","msg":"Wrong URL or channel:tickers,instId:XXX-USD doesn\'t exist."}',
        [Rejected("XXX-USD", "60018 Wrong URL or channel:tickers,instId:XXX-USD doesn't exist.")],
    ),
    (
        "okx",
        '{"event":"error","code":"60012","msg":"Invalid request","id":"4"}',
        [Failed("4", "60012 Invalid request")],
    ),
    (
        "okx",
        '{"event":"error","code":"60014","msg":"Requests too frequent","id":"4"}',
        [Failed("4", "Requests too frequent", temporary=True)],
    ),
    ("okx", '{"event":"notice","code":"64008","msg":"The connection will soon be closed"}', [Leave("service upgrade")]),
    ("okx", "pong", [Alive()]),
    (
        "kraken",
        '{"channel":"ticker","type":"snapshot","data":[{"symbol":"BTC/USD","bid":62703.4,"ask":62710.3,"last":62702.9,'
        '"timestamp":"2026-07-08T05:24:41.204829Z"}]}',
        [Price("BTC/USD", Tick(D("62702.9"), 1783488281204, D("62703.4"), D("62710.3")))],
    ),
    (
        "kraken",
        '{"method":"subscribe","result":{"channel":"ticker","symbol":"BTC/USD","snapshot":true},"success":true,"req_id":1}',
        [Confirmed("BTC/USD")],
    ),
    (
        "kraken",
        '{"method":"subscribe","success":false,"error":"Currency pair not supported X/USD","symbol":"X/USD"}',
        [Rejected("X/USD", "Currency pair not supported X/USD")],
    ),
    (
        "kraken",
        '{"method":"subscribe","success":false,"error":"Already subscribed","symbol":"BTC/USD","req_id":1}',
        [Confirmed("BTC/USD")],
    ),
    (
        "kraken",
        '{"method":"subscribe","success":false,"error":"Exceeded msg rate","req_id":2}',
        [Failed("2", "Exceeded msg rate", temporary=True)],
    ),
    ("kraken", '{"channel":"heartbeat"}', [Alive()]),
    (
        "coinbase",
        '{"type":"ticker","product_id":"BTC-USD","price":"68900.50","best_bid":"68900.00","best_ask":"68901.00",'
        '"time":"2026-04-07T14:30:03.250000Z","sequence":9}',
        [Price("BTC-USD", Tick("68900.50", 1775572203250, "68900.00", "68901.00"))],
    ),
    (
        "coinbase",
        '{"type":"subscriptions","channels":[{"name":"heartbeat","product_ids":["BTC-USD"]},'
        '{"name":"ticker","product_ids":["BTC-USD","ETH-USD"]}]}',
        [Confirmed("BTC-USD"), Confirmed("ETH-USD")],
    ),
    (
        "coinbase",
        '{"type":"error","message":"Failed to subscribe","reason":"XXX-USD is not a valid product"}',
        [Rejected("XXX-USD", "Failed to subscribe XXX-USD is not a valid product", alone=False)],
    ),
    ("coinbase", '{"type":"heartbeat","product_id":"BTC-USD"}', [Alive()]),
    (
        "cryptocompare",
        '{"TYPE":"1101","MARKET":"cadli","INSTRUMENT":"BTC-USD","VALUE":73838.8712345678901,"VALUE_LAST_UPDATE_TS":1780159779}',
        [Price("BTC-USD", Tick(D("73838.8712345678901"), 1780159779000))],
    ),
    ("cryptocompare", '{"TYPE":"1101","MARKET":"cadli","INSTRUMENT":"BTC-USD","CURRENT_HOUR_VOLUME":1}', [Alive()]),
    ("cryptocompare", '{"TYPE":"4000","MESSAGE":"SESSION_WELCOME"}', [Welcome()]),
    ("cryptocompare", '{"TYPE":"4005","SUBSCRIPTION":"1101~cadli~BTC-USD"}', [Confirmed("BTC-USD")]),
    (
        "cryptocompare",
        '{"TYPE":"4006","MESSAGE":"SUBSCRIPTION_REJECTED","SUBSCRIPTION":"1101~cadli~X-USD"}',
        [Rejected("X-USD", "4006 SUBSCRIPTION_REJECTED")],
    ),
    ("cryptocompare", '{"TYPE":"4011","MESSAGE":"UNAUTHORIZED"}', [Complaint("4011 UNAUTHORIZED")]),
    ("cryptocompare", '{"TYPE":"4013","MESSAGE":"HEARTBEAT"}', [Alive()]),
    (
        "finnhub",
        '{"type":"trade","data":[{"s":"BINANCE:BTCUSDT","p":7296.9,"t":1575526691135,"v":0.011},'
        '{"s":"BINANCE:BTCUSDT","p":7296.1,"t":1575526691134,"v":0.011},{"s":"BINANCE:ETHUSDT","p":150.25,"t":7,"v":1}]}',
        [
            Price("BINANCE:BTCUSDT", Tick(D("7296.9"), 1575526691135)),
            Price("BINANCE:ETHUSDT", Tick(D("150.25"), 7)),
        ],
    ),
    ("finnhub", '{"type":"ping"}', [Alive()]),
    (
        "finnhub",
        '{"type":"error","msg":"Subscribing to too many symbols"}',
        [Complaint("Subscribing to too many symbols")],
    ),
    ("kucoin", '{"id":"x","type":"welcome"}', [Welcome()]),
    ("kucoin", '{"id":"1","type":"ack"}', [Confirmed(request_id="1")]),
    (
        "kucoin",
        '{"id":"1","type":"error","code":404,"data":"topic is not found"}',
        [Failed("1", "404 topic is not found")],
    ),
    (
        "kucoin",
        '{"type":"message","topic":"/market/ticker:BTC-USDT","subject":"trade.ticker",'
        '"data":{"price":"0.08","bestAsk":"0.09","bestBid":"0.07","Time":1704873323416}}',
        [Price("BTC-USDT", Tick("0.08", 1704873323416, "0.07", "0.09"))],
    ),
    (
        "kucoin",
        '{"type":"message","topic":"/market/ticker:BTC-USDT","data":{"price":"0.08","time":1704873323416}}',
        [Price("BTC-USDT", Tick("0.08", 1704873323416))],
    ),
    (
        "bybit",
        '{"topic":"tickers.BTCUSDT","ts":1673853746003,"type":"snapshot","data":{"symbol":"BTCUSDT","lastPrice":"21109.77"}}',
        [Price("BTCUSDT", Tick("21109.77", 1673853746003))],
    ),
    (
        "bybit",
        '{"success":true,"ret_msg":"subscribe","conn_id":"c","req_id":"1","op":"subscribe"}',
        [Confirmed(request_id="1")],
    ),
    (
        "bybit",
        '{"success":false,"ret_msg":"Invalid symbol","conn_id":"c","req_id":"1","op":"subscribe"}',
        [Failed("1", "Invalid symbol")],
    ),
    ("bybit", '{"success":true,"ret_msg":"pong","conn_id":"c","req_id":"1","op":"ping"}', [Alive()]),
]

SENT: list[tuple[str, dict[str, Any] | str, dict[str, Any] | str]] = [
    (
        "binance",
        {"method": "SUBSCRIBE", "params": ["btcusdt@miniTicker", "ethusdt@miniTicker"], "id": 7},
        {"method": "UNSUBSCRIBE", "params": ["btcusdt@miniTicker", "ethusdt@miniTicker"], "id": 7},
    ),
    (
        "okx",
        {
            "id": "7",
            "op": "subscribe",
            "args": [{"channel": "tickers", "instId": "BTC-USDT"}, {"channel": "tickers", "instId": "ETH-USDT"}],
        },
        "ping",
    ),
    (
        "bybit",
        {"req_id": "7", "op": "subscribe", "args": ["tickers.BTCUSDT", "tickers.ETHUSDT"]},
        {"req_id": "7", "op": "ping"},
    ),
    (
        "kucoin",
        {"id": "7", "type": "subscribe", "topic": "/market/ticker:BTC-USDT,ETH-USDT", "response": True},
        {"id": "7", "type": "ping"},
    ),
]


@pytest.mark.parametrize(("source", "text", "events"), MESSAGES)
def test_what_is_said(source: str, text: str, events: list[Event]) -> None:
    """A message has the documented meaning, its numbers are exact."""
    assert events == list(DIALECTS[source].read(parse(text)))


@pytest.mark.parametrize(("source", "subscribe", "other"), SENT)
def test_what_we_say(source: str, subscribe: Any, other: Any) -> None:
    """Subscriptions and pings have the documented form."""
    dialect = DIALECTS[source]
    symbols = [dialect.symbol(Pair("BTC", "USDT")), dialect.symbol(Pair("eth", "usdt"))]
    assert subscribe == json.loads(dialect.subscribe(symbols, 7))
    ping = dialect.RULES.ping
    said = dialect.unsubscribe(symbols, 7) if ping is None else ping.say(7)
    assert other == (said if said == "ping" else json.loads(said))


@pytest.mark.parametrize(
    ("source", "pair", "symbol"),
    [
        ("binance", Pair("btc", "USDT"), "BTCUSDT"),
        ("kraken", Pair("XBT", "USD"), "BTC/USD"),
        ("kraken", Pair("XDG", "EUR"), "DOGE/EUR"),
        ("finnhub", Pair("EUR", "USD"), "OANDA:EUR_USD"),
        ("finnhub", Pair("BTC", "USDT"), "BINANCE:BTCUSDT"),
        ("cryptocompare", Pair("BTC", "usd"), "BTC-USD"),
    ],
)
def test_symbols(source: str, pair: Pair, symbol: str) -> None:
    """A pair has the provider's own name, in upper case."""
    assert symbol == DIALECTS[source].symbol(pair)


def test_documented_limits() -> None:
    """No rule allows more than the provider does."""
    rules = {name: dialect.RULES for name, dialect in DIALECTS.items()}
    assert rules["binance"].symbols_per_connection <= 1024
    assert rules["binance"].message_gap_s >= 1 / 5
    assert (rules["binance"].lifetime_s or 0) < 24 * 3600
    assert rules["okx"].messages_per_hour == 480
    longest_s = {"bybit": 20, "kraken": 60, "kucoin": 18, "okx": 29}
    pings = {name: rule.ping for name, rule in rules.items() if rule.ping is not None}
    assert longest_s.keys() == pings.keys()
    assert [] == [name for name, ping in pings.items() if ping.every_s > longest_s[name]]
    assert rules["kraken"].connect_gap_s >= 4
    assert rules["cryptocompare"].connect_gap_s >= 5
    assert rules["kucoin"].symbols_per_connection <= 300
    assert rules["kucoin"].batch <= 100
    assert rules["bybit"].batch <= 10
    longest = dump({"channel": "tickers", "instId": "1000CHEEMSXYZ-USDT"})
    assert rules["okx"].symbols_per_connection * len(longest) < 64 * 1024
    assert rules["bybit"].symbols_per_connection * len("tickers.1000CHEEMSUSDT") < 21_000


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(sorted(
        {"e", "E", "s", "c", "id", "data", "stream", "event", "arg", "channel", "method", "type", "TYPE", "topic", "op"}
    )), inner),
    max_leaves=8,
)  # fmt: skip


@pytest.mark.parametrize("source", sorted(DIALECTS))
@settings(max_examples=30)
@given(message=_JSON)
def test_odd_messages_raise_only_what_is_caught(source: str, message: object) -> None:
    """Whatever is said, reading it gives events or one of the errors that mean an odd message."""
    try:
        list(DIALECTS[source].read(message))
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError):
        return
