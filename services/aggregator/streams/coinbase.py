"""Coinbase Exchange stream: the same product as its REST API, last trade with its time, bid and ask."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.sources import shapes
from services.aggregator.sources.coinbase import halt_of
from services.aggregator.sources.shapes import Record
from services.aggregator.streams.protocol import (
    Alive,
    Complaint,
    Confirmed,
    Event,
    Halt,
    Price,
    Rejected,
    Rules,
    dump,
    each,
    other,
    row_event,
    words,
)

_INVALID = re.compile(r"([A-Z0-9]+-[A-Z0-9]+) (?:is not a valid product|is delisted|has been delisted)")
_TICKER = "ticker"


class CoinbaseStream:
    """Speak Coinbase Exchange's channel `ticker`; `heartbeat` keeps quiet products' connections open."""

    RULES: ClassVar[Rules] = Rules(
        source="coinbase",
        price_frame=re.compile(r'\{"type":"ticker",[^{}]*?"product_id":"([^"{}]+)"[^{}]*\}'),
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
        fields = shapes.record(message, "message")
        match fields.get("type"):
            case "ticker":
                return [row_event("ticker", fields, self._price)]
            case "subscriptions":
                return [*self._confirmed(shapes.rows(fields.get("channels"), "channels"))] or [Alive()]
            case "status":
                return each(shapes.rows(fields.get("products"), "products"), "id", self._halt)
            case "error":
                return [self._error(fields)]
        return [other(fields)]

    @staticmethod
    def _price(_name: str, fields: Record) -> Event:
        bid, ask = shapes.side(fields, "best_bid"), shapes.side(fields, "best_ask")
        tick = Tick(shapes.price(fields, "price"), shapes.moment_ms(fields, "time"), bid, ask)
        return Price(shapes.text(fields, "product_id"), tick)

    @staticmethod
    def _confirmed(channels: Sequence[Any]) -> Iterable[Event]:
        for channel in channels:
            if isinstance(channel, dict) and channel.get("name") == _TICKER:
                for symbol in shapes.rows(channel.get("product_ids"), "product_ids"):
                    if isinstance(symbol, str):
                        yield Confirmed(symbol)

    @staticmethod
    def _halt(symbol: str, row: Record) -> Event:
        return Halt(symbol, halt_of(row))

    @staticmethod
    def _error(message: Record) -> Event:
        text = f"{words(message.get('message'))} {words(message.get('reason', ''))}".strip()
        named = _INVALID.search(text)
        # One invalid product fails the whole request.
        return Complaint(text) if named is None else Rejected(named.group(1), text, alone=False)

    @staticmethod
    def _request(kind: str, symbols: Sequence[str]) -> str:
        return dump({"type": kind, "product_ids": list(symbols), "channels": ["ticker", "heartbeat"]})
