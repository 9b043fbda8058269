"""KuCoin stream: a token and an address by REST first, a welcome, tickers with last, bid and ask; the client pings."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.sources import shapes
from services.aggregator.sources.shapes import Record
from services.aggregator.streams.protocol import (
    Complaint,
    Confirmed,
    Event,
    Failed,
    Ping,
    Price,
    Rules,
    Welcome,
    dump,
    other,
    request_of,
    row_event,
    words,
)

_TOPIC = "/market/ticker:"
_TOO_MANY = ("429", "509")


class KucoinStream:
    """Speak KuCoin's topic `/market/ticker`; one unknown symbol fails the whole request."""

    RULES: ClassVar[Rules] = Rules(
        source="kucoin",
        price_frame=re.compile(
            r'\{(?:"type":"message",)?"topic":"/market/ticker:([^",{}]+)",[^{}]*"data":\{[^{}]*\}[^{}]*\}'
        ),
        url="wss://ws-api-spot.kucoin.com/",
        unknown_words=("not found", "not exist"),
        token_path="/api/v1/bullet-public",  # noqa: S106
        welcomes=True,
        batch=100,
        symbols_per_connection=300,
        message_gap_s=0.15,  # 100 in 10 s
        connect_gap_s=2.0,  # 30 a minute
        ping=Ping(
            18.0, lambda request_id: dump({"id": str(request_id), "type": "ping"})
        ),  # or as the token's answer says
        silence_s=30.0,
        lifetime_s=23 * 3_600.0,  # of the token
    )

    def symbol(self, pair: Pair) -> str:
        """Return the name with a dash."""
        return f"{pair.base}-{pair.quote}".upper()

    def subscribe(self, symbols: Sequence[str], request_id: int) -> str:
        """Return the request for the tickers."""
        return self._request("subscribe", symbols, request_id)

    def unsubscribe(self, symbols: Sequence[str], request_id: int) -> str:
        """Return the request to end the tickers."""
        return self._request("unsubscribe", symbols, request_id)

    def read(self, message: Any) -> Iterable[Event]:
        """Return the events of a message."""
        fields = shapes.record(message, "message")
        match fields.get("type"):
            case "message":
                return [row_event("message", fields, self._price)]
            case "welcome":
                return [Welcome()]
            case "ack":
                return [Confirmed(request_id=request_of(fields, "id"))]
            case "error":
                code, reason = request_of(fields, "code"), words(fields.get("data"))
                if not (request_id := request_of(fields, "id")):
                    return [Complaint(f"{code} {reason}")]
                return [Failed(request_id, f"{code} {reason}", temporary=code.startswith(_TOO_MANY))]
        return [other(fields)]

    @staticmethod
    def _price(_name: str, message: Record) -> Event:
        data = shapes.record(message.get("data"), "data")
        symbol = shapes.text(message, "topic").removeprefix(_TOPIC)
        shapes.expect(message, "topic", _TOPIC + symbol)
        shapes.expect_if_told(data, symbol=symbol)
        # The time's name differs between the single topics and the topic of all symbols.
        time_ms = shapes.time_ms(data, "Time" if "Time" in data else "time")
        bid, ask = shapes.side(data, "bestBid"), shapes.side(data, "bestAsk")
        return Price(symbol, Tick(shapes.price(data, "price"), time_ms, bid, ask))

    @staticmethod
    def _request(kind: str, symbols: Sequence[str], request_id: int) -> str:
        return dump({"id": str(request_id), "type": kind, "topic": _TOPIC + ",".join(symbols), "response": True})
