"""Coinbase Exchange stream: the same product as its REST API, last trade with its time, bid and ask."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.streams.protocol import (
    Alive,
    Complaint,
    Confirmed,
    Event,
    Price,
    Rejected,
    Rules,
    dump,
    milliseconds,
)

_INVALID = re.compile(r"([A-Z0-9]+-[A-Z0-9]+) is not a valid product")


class CoinbaseStream:
    """Speak Coinbase Exchange's channel `ticker`; `heartbeat` keeps quiet products' connections open."""

    RULES: ClassVar[Rules] = Rules(
        source="coinbase",
        url="wss://ws-feed.exchange.coinbase.com",
        batch=100,
        symbols_per_connection=200,
        connect_gap_s=1.0,
        silence_s=10.0,  # a heartbeat a second
    )

    def symbol(self, pair: Pair) -> str:
        """Return the name with a dash."""
        return f"{pair.base}-{pair.quote}".upper()

    def subscribe(self, symbols: Sequence[str], request_id: int) -> str:
        """Return the request for tickers and heartbeats."""
        return self._request("subscribe", symbols)

    def unsubscribe(self, symbols: Sequence[str], request_id: int) -> str:
        """Return the request to end tickers and heartbeats."""
        return self._request("unsubscribe", symbols)

    def read(self, message: Any) -> Iterable[Event]:
        """Return the events of a message."""
        kind = message["type"]
        if kind == "ticker":
            tick = Tick(
                message["price"], milliseconds(message["time"]), message.get("best_bid"), message.get("best_ask")
            )
            return [Price(message["product_id"], tick)]
        if kind == "subscriptions":
            tickers = [channel for channel in message["channels"] if channel["name"] == "ticker"]
            return [Confirmed(symbol) for channel in tickers for symbol in channel["product_ids"]] or [Alive()]
        if kind == "error":
            return [self._error(message)]
        return [Alive()]

    @staticmethod
    def _error(message: Any) -> Event:
        text = f"{message.get('message')} {message.get('reason', '')}".strip()
        named = _INVALID.search(text)
        # One invalid product fails the whole request.
        return Complaint(text) if named is None else Rejected(named.group(1), text, alone=False)

    @staticmethod
    def _request(kind: str, symbols: Sequence[str]) -> str:
        return dump({"type": kind, "product_ids": list(symbols), "channels": ["ticker", "heartbeat"]})
