"""KuCoin stream: a token and an address by REST first, a welcome, tickers with last, bid and ask; the client pings."""

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
    Rules,
    Welcome,
    dump,
)

_TOPIC = "/market/ticker:"
_TOO_MANY = "429"


class KucoinStream:
    """Speak KuCoin's topic `/market/ticker`; one unknown symbol fails the whole request."""

    RULES: ClassVar[Rules] = Rules(
        source="kucoin",
        url="wss://ws-api-spot.kucoin.com/",
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
        kind = message["type"]
        if kind == "message":
            return [self._price(message)]
        if kind == "welcome":
            return [Welcome()]
        if kind == "ack":
            return [Confirmed(request_id=str(message["id"]))]
        if kind == "error":
            code, text = str(message.get("code")), str(message.get("data"))
            if message.get("id") is None:
                return [Complaint(f"{code} {text}")]
            return [Failed(str(message["id"]), f"{code} {text}", temporary=code.startswith(_TOO_MANY))]
        return [Alive()]

    @staticmethod
    def _price(message: Any) -> Price:
        data = message["data"]
        symbol = str(message["topic"]).removeprefix(_TOPIC)
        # The time's name differs between the single topics and the topic of all symbols.
        time_ms = data["Time"] if "Time" in data else data["time"]
        return Price(symbol, Tick(data["price"], int(time_ms), data.get("bestBid"), data.get("bestAsk")))

    @staticmethod
    def _request(kind: str, symbols: Sequence[str], request_id: int) -> str:
        return dump({"id": str(request_id), "type": kind, "topic": _TOPIC + ",".join(symbols), "response": True})
