"""Bybit v5 spot stream: snapshots of tickers every 50 ms without bid and ask; the client pings."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.streams.protocol import Alive, Confirmed, Event, Failed, Ping, Price, Rules, dump

_TOPIC = "tickers."


class BybitStream:
    """Speak Bybit's spot topic `tickers`; one unknown symbol fails the whole request."""

    RULES: ClassVar[Rules] = Rules(
        source="bybit",
        url="wss://stream.bybit.com/v5/public/spot",
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
        topic = message.get("topic")
        if topic is not None:
            return [Price(topic.removeprefix(_TOPIC), Tick(message["data"]["lastPrice"], message["ts"]))]
        if message.get("op") != "subscribe":
            return [Alive()]
        request_id = str(message.get("req_id", ""))
        if message["success"]:
            return [Confirmed(request_id=request_id)]
        return [Failed(request_id, str(message.get("ret_msg")))]

    @staticmethod
    def _request(operation: str, symbols: Sequence[str], request_id: int) -> str:
        args = [_TOPIC + symbol for symbol in symbols]
        return dump({"req_id": str(request_id), "op": operation, "args": args})
