"""Kraken v2 stream: last trade, bid and ask as JSON numbers, one acknowledgement a symbol, a heartbeat a second."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.streams.protocol import (
    Alive,
    Complaint,
    Confirmed,
    Event,
    Failed,
    Ping,
    Price,
    Rejected,
    Rules,
    dump,
    milliseconds,
)

# The v2 stream has the world's names where the REST API has Kraken's own.
_WORLD_NAMES = {"XBT": "BTC", "XDG": "DOGE"}


class KrakenStream:
    """Speak Kraken's channel `ticker`, triggered by trades."""

    RULES: ClassVar[Rules] = Rules(
        source="kraken",
        url="wss://ws.kraken.com/v2",
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
        if message.get("channel") == "ticker":
            return [self._price(row) for row in message["data"]]
        if message.get("method") == "subscribe":
            return [self._answer(message)]
        if "error" in message and message.get("method") != "unsubscribe":
            return [Complaint(str(message["error"]))]
        return [Alive()]

    @staticmethod
    def _price(row: Any) -> Price:
        time_ms = milliseconds(row["timestamp"]) if "timestamp" in row else None
        return Price(row["symbol"], Tick(row["last"], time_ms, row.get("bid"), row.get("ask")))

    @staticmethod
    def _answer(message: Any) -> Event:
        if message["success"]:
            return Confirmed(message["result"]["symbol"])
        error, symbol = str(message.get("error")), message.get("symbol")
        request_id = str(message.get("req_id", ""))
        if "rate" in error.lower():
            return Failed(request_id, error, temporary=True)
        if symbol is None:
            return Failed(request_id, error)
        return Confirmed(symbol) if "already subscribed" in error.lower() else Rejected(symbol, error)
