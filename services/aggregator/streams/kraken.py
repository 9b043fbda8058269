"""Kraken v2 stream: last trade, bid and ask as JSON numbers, one acknowledgement a symbol, a heartbeat a second."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.sources import shapes
from services.aggregator.sources.shapes import Record
from services.aggregator.streams.protocol import (
    Alive,
    Complaint,
    Confirmed,
    Event,
    Failed,
    Halt,
    Ping,
    Price,
    Rejected,
    Rules,
    dump,
    each,
    other,
    request_of,
    row_event,
    words,
)

# The v2 stream has the world's names where the REST API has Kraken's own.
_WORLD_NAMES = {"XBT": "BTC", "XDG": "DOGE"}
# In all others, of the system and of a market, there are no trades.
TRADING = frozenset({"online", "limit_only"})
_UNKNOWN = "not supported"


class KrakenStream:
    """Speak Kraken's channel `ticker`, triggered by trades."""

    RULES: ClassVar[Rules] = Rules(
        source="kraken",
        price_frame=re.compile(r'\{"channel":"ticker","type":"update","data":\[\{"symbol":"([^"{}]+)"[^{}]*\}\]\}'),
        url="wss://ws.kraken.com/v2",
        separator="/",
        has_listed_names=False,
        unknown_words=(_UNKNOWN,),
        batch=100,
        connect_gap_s=4.0,  # 150 in 10 minutes, then a ban of 10 minutes
        ping=Ping(30.0, lambda request_id: dump({"method": "ping", "req_id": request_id})),
        silence_s=10.0,
    )

    def symbol(self, pair: Pair) -> str:
        """Return the name with a slash, BTC and not XBT."""
        base, quote = pair.upper()
        return f"{_WORLD_NAMES.get(base, base)}/{_WORLD_NAMES.get(quote, quote)}"

    def subscribe(self, symbols: Sequence[str], request_id: int) -> str:
        """Return the request for the tickers, each beginning with its present state."""
        params = {"channel": "ticker", "symbol": list(symbols), "event_trigger": "trades", "snapshot": True}
        return dump({"method": "subscribe", "params": params, "req_id": request_id})

    def unsubscribe(self, symbols: Sequence[str], request_id: int) -> str:
        """Return the request to end the tickers."""
        params = {"channel": "ticker", "symbol": list(symbols), "event_trigger": "trades"}
        return dump({"method": "unsubscribe", "params": params, "req_id": request_id})

    def read(self, message: Any) -> Iterable[Event]:
        """Return the events of a message."""
        fields = shapes.record(message, "message")
        match fields.get("channel"):
            case "ticker":
                return each(shapes.rows(fields.get("data"), "data"), "symbol", self._price)
            case "status":
                return [row_event("status", row, self._system) for row in shapes.rows(fields.get("data"), "data")]
            case "instrument":
                pairs = shapes.record(fields.get("data"), "data").get("pairs")
                return each(shapes.rows(pairs, "pairs"), "symbol", self._market)
        if fields.get("method") == "subscribe":
            return [self._answer(fields)]
        # Ending what has ended already is no error.
        return [Alive()] if fields.get("method") == "unsubscribe" else [other(fields)]

    @staticmethod
    def _price(symbol: str, row: Record) -> Event:
        time_ms = shapes.moment_ms(row, "timestamp") if "timestamp" in row else None
        return Price(symbol, Tick(shapes.price(row, "last"), time_ms, shapes.side(row, "bid"), shapes.side(row, "ask")))

    @staticmethod
    def _market(symbol: str, row: Record) -> Event:
        status = shapes.text(row, "status")
        return Halt(symbol, "" if status in TRADING else status)

    @staticmethod
    def _system(_name: str, row: Record) -> Event:
        status = shapes.text(row, "system")
        return Halt("", "" if status in TRADING else status)

    @staticmethod
    def _answer(message: Record) -> Event:
        if shapes.flag(message, "success"):
            return Confirmed(shapes.text(shapes.record(message.get("result"), "result"), "symbol"))
        error, symbol = words(message.get("error")), message.get("symbol")
        request_id = request_of(message, "req_id")
        if "rate" in error.lower():
            return Failed(request_id, error, temporary=True)
        if not isinstance(symbol, str):
            return Failed(request_id, error)
        if "already subscribed" in error.lower():
            return Confirmed(symbol)
        return Rejected(symbol, error) if _UNKNOWN in error.lower() else Complaint(f"{symbol}: {error}")
