"""CoinDesk Data (CryptoCompare) stream: the CADLI index with its time; needs a key; updates carry only what changed."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
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
)

_WELCOME = "4000"
_BAD_SUBSCRIPTION = "4004"
_ACCEPTED = "4005"
_REJECTED = "4006"
_TICK = "1101"
_ERRORS = frozenset({"4001", "4002", "4003", "4011"})


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
        kind = str(message["TYPE"])
        if kind == _TICK:
            # Without a value it tells the change of another field, which must not be taken for a price.
            if "VALUE" not in message:
                return [Alive()]
            time_s = message.get("VALUE_LAST_UPDATE_TS")
            time_ms = None if time_s is None else int(time_s) * 1000
            return [Price(message["INSTRUMENT"], Tick(message["VALUE"], time_ms))]
        if kind == _WELCOME:
            return [Welcome()]
        text = f"{kind} {message.get('MESSAGE')}"
        symbol = str(message.get("SUBSCRIPTION", "")).rpartition("~")[2]
        if kind == _ACCEPTED:
            return [Confirmed(symbol)] if symbol else [Alive()]
        if kind in (_REJECTED, _BAD_SUBSCRIPTION):
            return [Rejected(symbol, text)] if symbol else [Complaint(text)]
        if message.get("MESSAGE") == "FORCE_DISCONNECT":
            return [Leave("forced to disconnect")]
        return [Complaint(text)] if kind in _ERRORS else [Alive()]

    @staticmethod
    def _request(action: str, symbols: Sequence[str]) -> str:
        named = [{"market": "cadli", "instrument": symbol} for symbol in symbols]
        return dump({"action": action, "type": _TICK, "groups": ["VALUE"], "subscriptions": named})
