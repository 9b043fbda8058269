"""OKX stream: tickers with last, bid, ask and time; one acknowledgement a symbol; the client pings with a bare text."""

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
    Failed,
    Leave,
    Ping,
    Price,
    Rejected,
    Rules,
    dump,
)

_TOO_FREQUENT = "60014"
_CLOSED_FOR_SILENCE = "60015"
_SERVICE_UPGRADE = "64008"
_NAMED = re.compile(r"instId:\s*([A-Za-z0-9]+-[A-Za-z0-9]+)")


class OkxStream:
    """Speak OKX's public channel `tickers`."""

    RULES: ClassVar[Rules] = Rules(
        source="okx",
        url="wss://ws.okx.com:8443/ws/v5/public",
        regions={
            "eea.okx.com": "wss://wseea.okx.com:8443/ws/v5/public",
            "us.okx.com": "wss://wsus.okx.com:8443/ws/v5/public",
        },
        batch=100,
        symbols_per_connection=500,  # all arguments of a connection together may have 64 KB
        messages_per_hour=480,
        connect_gap_s=1.0,
        ping=Ping(15.0, lambda _id: "ping"),
        silence_s=30.0,
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
        """Return the events of a message or of the text `pong`."""
        if message == "pong":
            return [Alive()]
        event = message.get("event")
        if event is None:
            return [self._price(row) for row in message["data"]]
        if event == "subscribe":
            return [Confirmed(message["arg"]["instId"])]
        if event == "notice":
            return [Leave("service upgrade") if message.get("code") == _SERVICE_UPGRADE else Alive()]
        return [self._error(message)] if event == "error" else [Alive()]

    @staticmethod
    def _price(row: Any) -> Price:
        # Freshly listed instruments have empty texts.
        return Price(
            row["instId"], Tick(row["last"], int(row["ts"]), row.get("bidPx") or None, row.get("askPx") or None)
        )

    @staticmethod
    def _error(message: Any) -> Event:
        code, text = str(message.get("code")), str(message.get("msg"))
        if code == _CLOSED_FOR_SILENCE:
            return Leave("closed for silence")
        if code == _TOO_FREQUENT:
            return Failed(str(message.get("id", "")), text, temporary=True)
        named = _NAMED.search(text)
        if named is not None:
            return Rejected(named.group(1).upper(), f"{code} {text}")
        return Failed(str(message["id"]), f"{code} {text}") if message.get("id") else Complaint(f"{code} {text}")

    @staticmethod
    def _request(operation: str, symbols: Sequence[str], request_id: int) -> str:
        args = [{"channel": "tickers", "instId": symbol} for symbol in symbols]
        return dump({"id": str(request_id), "op": operation, "args": args})
