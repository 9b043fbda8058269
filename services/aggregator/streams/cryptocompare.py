"""CoinDesk Data (CryptoCompare) stream: the CADLI index with its time; needs a key; updates carry only what changed."""

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
    Leave,
    Price,
    Rejected,
    Rules,
    Welcome,
    dump,
    other,
    row_event,
    words,
)

_WELCOME = "4000"
_BAD_SUBSCRIPTION = "4004"
_ACCEPTED = "4005"
_REJECTED = "4006"
_TICK = "1101"
_ERRORS = frozenset({"4001", "4002", "4003", "4011"})
_MARKET = "cadli"


class CryptocompareStream:
    """Speak the data streamer's index ticks, the product that its REST API has as `cadli`."""

    RULES: ClassVar[Rules] = Rules(
        source="cryptocompare",
        url="wss://data-streamer.cryptocompare.com/",
        key_parameter="api_key",
        batch=50,
        symbols_per_connection=300,
        most_connections=1,
        message_gap_s=0.2,
        connect_gap_s=5.0,
        silence_s=120.0,  # a heartbeat every 30 s
    )

    def symbol(self, pair: Pair) -> str:
        """Return the name with a dash."""
        return f"{pair.base}-{pair.quote}".upper()

    def subscribe(self, symbols: Sequence[str], request_id: int) -> str:
        """Return the request for the index ticks."""
        return self._request("SUB_ADD", symbols)

    def unsubscribe(self, symbols: Sequence[str], request_id: int) -> str:
        """Return the request to end the index ticks."""
        return self._request("SUB_REMOVE", symbols)

    def read(self, message: Any) -> Iterable[Event]:
        """Return the events of a message."""
        fields = shapes.record(message, "message")
        kind = str(shapes.price(fields, "TYPE"))
        if kind == _TICK:
            # Without a value it tells the change of another field, which must not be taken for a price.
            return [row_event("tick", fields, self._price)] if "VALUE" in fields else [Alive()]
        if kind == _WELCOME:
            return [Welcome()]
        text = f"{kind} {words(fields.get('MESSAGE'))}"
        symbol = words(fields.get("SUBSCRIPTION", "")).rpartition("~")[2]
        if kind == _ACCEPTED:
            return [Confirmed(symbol)] if symbol else [Alive()]
        if kind in (_REJECTED, _BAD_SUBSCRIPTION):
            return [Rejected(symbol, text)] if symbol else [Complaint(text)]
        if fields.get("MESSAGE") == "FORCE_DISCONNECT":
            return [Leave("forced to disconnect")]
        return [Complaint(text)] if kind in _ERRORS else [other(fields)]

    @staticmethod
    def _price(_name: str, fields: Record) -> Event:
        shapes.expect_if_told(fields, MARKET=_MARKET)
        told = fields.get("VALUE_LAST_UPDATE_TS") is not None
        time_ms = shapes.time_s(fields, "VALUE_LAST_UPDATE_TS") if told else None
        return Price(shapes.text(fields, "INSTRUMENT"), Tick(shapes.price(fields, "VALUE"), time_ms))

    @staticmethod
    def _request(action: str, symbols: Sequence[str]) -> str:
        named = [{"market": _MARKET, "instrument": symbol} for symbol in symbols]
        return dump({"action": action, "type": _TICK, "groups": ["VALUE"], "subscriptions": named})
