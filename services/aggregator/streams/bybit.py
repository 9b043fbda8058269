"""Bybit v5 spot stream: snapshots of tickers every 50 ms without bid and ask; the client pings."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.sources import shapes
from services.aggregator.streams.protocol import (
    Alive,
    Confirmed,
    Event,
    Failed,
    Ping,
    Price,
    Rules,
    dump,
    other,
    request_of,
    words,
)

_TOPIC = "tickers."
_QUOTES = "BRL BRZ BTC DAI ETH EUR MNT PLN SOL TRY USD1 USDC USDE USDQ USDR USDT XUSD"


class BybitStream:
    """Speak Bybit's spot topic `tickers`; one unknown symbol fails the whole request."""

    RULES: ClassVar[Rules] = Rules(
        source="bybit",
        price_frame=re.compile(r'\{"topic":"tickers\.([A-Z0-9]+)",[^{}]*"data":\{[^{}]*\}[^{}]*\}'),
        url="wss://stream.bybit.com/v5/public/spot",
        unknown_words=("symbol", "handler not found"),
        quotes=frozenset(_QUOTES.split()),
        batch=10,
        symbols_per_connection=500,  # all arguments of a connection together may have 21,000 characters
        connect_gap_s=1.0,
        ping=Ping(20.0, lambda request_id: dump({"req_id": str(request_id), "op": "ping"})),
        silence_s=40.0,
    )

    def symbol(self, pair: Pair) -> str:
        """Return the name without a separator."""
        return f"{pair.base}{pair.quote}".upper()

    def subscribe(self, symbols: Sequence[str], request_id: int) -> str:
        """Return the request for the tickers."""
        return self._request("subscribe", symbols, request_id)

    def unsubscribe(self, symbols: Sequence[str], request_id: int) -> str:
        """Return the request to end the tickers."""
        return self._request("unsubscribe", symbols, request_id)

    def read(self, message: Any) -> Iterable[Event]:
        """Return the events of a message."""
        fields = shapes.record(message, "message")
        if "topic" in fields:
            return [self._price(fields)]
        if fields.get("op") == "unsubscribe":
            return [Alive()]
        if fields.get("op") != "subscribe":
            return [other(fields)]
        request_id = request_of(fields, "req_id")
        if shapes.flag(fields, "success"):
            return [Confirmed(request_id=request_id)]
        return [Failed(request_id, words(fields.get("ret_msg")))]

    @staticmethod
    def _price(fields: shapes.Record) -> Event:
        topic, row = shapes.text(fields, "topic"), shapes.record(fields.get("data"), "data")
        symbol = topic.removeprefix(_TOPIC)
        shapes.expect(fields, "topic", _TOPIC + symbol)
        shapes.expect_if_told(row, symbol=symbol)
        return Price(symbol, Tick(shapes.price(row, "lastPrice"), shapes.time_ms(fields, "ts")))

    @staticmethod
    def _request(operation: str, symbols: Sequence[str], request_id: int) -> str:
        args = [_TOPIC + symbol for symbol in symbols]
        return dump({"req_id": str(request_id), "op": operation, "args": args})
