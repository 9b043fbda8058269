"""OKX stream: tickers with last, bid, ask and time; one acknowledgement a symbol; the client pings with a bare text."""

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
    Leave,
    Ping,
    Price,
    Rejected,
    Rules,
    dump,
    each,
    other,
    request_of,
    words,
)

_TOO_FREQUENT = "60014"
_CLOSED_FOR_SILENCE = "60015"
_SERVICE_UPGRADE = "64008"
_UNKNOWN = "doesn't exist"
_CHANNEL, _STATES = "tickers", "instruments"
TRADING = "live"
_NAMED = re.compile(r"instId:\s*([A-Za-z0-9]+-[A-Za-z0-9]+)")


class OkxStream:
    """Speak OKX's public channel `tickers`."""

    RULES: ClassVar[Rules] = Rules(
        source="okx",
        price_frame=re.compile(r'\{"arg":\{"channel":"tickers","instId":"([^"{}]+)"\},"data":\[\{[^{}]*\}\]\}'),
        url="wss://ws.okx.com:8443/ws/v5/public",
        regions={
            "eea.okx.com": "wss://wseea.okx.com:8443/ws/v5/public",
            "us.okx.com": "wss://wsus.okx.com:8443/ws/v5/public",
        },
        unknown_words=(_UNKNOWN,),
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
        fields = shapes.record(message, "message")
        match fields.get("event"):
            case None:
                return self._pushed(fields)
            case "subscribe":
                arg = shapes.record(fields.get("arg"), "arg")
                shapes.expect_if_told(arg, channel=_CHANNEL)
                return [Confirmed(shapes.text(arg, "instId"))]
            case "notice":
                return [Leave("service upgrade") if fields.get("code") == _SERVICE_UPGRADE else Alive()]
            case "error":
                return [self._error(fields)]
        return [other(fields)]

    @staticmethod
    def _pushed(fields: Record) -> Iterable[Event]:
        arg = shapes.record(fields.get("arg"), "arg")
        found = shapes.rows(fields.get("data"), "data")
        if arg.get("channel") == _STATES:
            return each(found, "instId", _halt)
        shapes.expect_if_told(arg, channel=_CHANNEL)

        def price(symbol: str, row: Record) -> Event:
            shapes.expect_if_told(row, instType="SPOT")
            shapes.expect_if_told(arg, instId=symbol)
            if row.get("state", TRADING) != TRADING:
                return _halt(symbol, row)
            bid, ask = shapes.side(row, "bidPx"), shapes.side(row, "askPx")
            return Price(symbol, Tick(shapes.price(row, "last"), shapes.time_ms(row, "ts"), bid, ask))

        return each(found, "instId", price)

    @staticmethod
    def _error(message: Record) -> Event:
        code, text = words(message.get("code")), words(message.get("msg"))
        if code == _CLOSED_FOR_SILENCE:
            return Leave("closed for silence")
        if code == _TOO_FREQUENT:
            return Failed(request_of(message, "id"), text, temporary=True)
        named = _NAMED.search(text)
        if named is not None and _UNKNOWN in text:
            return Rejected(named.group(1).upper(), f"{code} {text}")
        request_id = request_of(message, "id")
        return Failed(request_id, f"{code} {text}") if request_id else Complaint(f"{code} {text}")

    @staticmethod
    def _request(operation: str, symbols: Sequence[str], request_id: int) -> str:
        args = [{"channel": _CHANNEL, "instId": symbol} for symbol in symbols]
        return dump({"id": str(request_id), "op": operation, "args": args})


def _halt(symbol: str, row: Record) -> Event:
    state = shapes.text(row, "state")
    return Halt(symbol, "" if state == TRADING else state)
