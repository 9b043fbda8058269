"""Binance market streams: raw and combined, names in lower case, five messages a second, protocol pings, 24 hours."""

from collections.abc import Iterable
from typing import Final

from aiohttp import web

from devkit.market.streams.stream import Hangup, Message, Rate, Session, Stream, texts
from devkit.market.venue import Market

MOST_STREAMS: Final = 1024
KINDS: Final = ("miniTicker", "ticker", "trade", "bookTicker")
_COMBINED: Final = "combined"


class BinanceStream(Stream):
    """Speak Binance's streams. A name that nobody knows is acknowledged like any other, and stays without data."""

    paths = ("/ws", "/ws/{names}", "/stream")
    push_ms = 1000
    ping_s = 20
    pong_s = 60
    lifetime_s = 24 * 3600
    rate = Rate(5, 1.0)
    connects = Rate(300, 300.0)

    def welcome(self, session: Session, request: web.Request) -> Iterable[Message]:
        """Subscribe to what the address names."""
        combined = request.path.endswith("/stream")
        if combined:
            session.marks[_COMBINED] = "true"
        names = request.query.get("streams", "") if combined else request.match_info.get("names", "")
        self._subscribe(session, [name for name in names.split("/") if name])
        return ()

    def handle(self, session: Session, message: dict[str, object]) -> Iterable[Message]:
        """Answer SUBSCRIBE, UNSUBSCRIBE and LIST_SUBSCRIPTIONS."""
        number, names = message.get("id"), texts(message.get("params"))
        match message.get("method"):
            case "SUBSCRIBE" if names:
                if len(session.topics.keys() | set(names)) > MOST_STREAMS:
                    return [_error(2, "Invalid request: too many streams on one connection", number)]
                self._subscribe(session, names)
            case "UNSUBSCRIBE" if names:
                for name in names:
                    session.topics.pop(name, None)
            case "LIST_SUBSCRIPTIONS":
                return [{"result": list(session.topics), "id": number}]
            case "SUBSCRIBE" | "UNSUBSCRIBE":
                return [_error(2, "Invalid request: params must be an array of stream names", number)]
            case method:
                return [_error(2, f"Invalid request: unknown variant `{method}`", number)]
        return [{"result": None, "id": number}]

    def misunderstood(self, _session: Session, _text: str) -> Iterable[Message]:
        """Return the error for what is no JSON object."""
        return [_error(3, "Invalid JSON: expected value at line 1 column 1", None)]

    def too_fast(self, _session: Session) -> Iterable[Message]:
        """Close at the sixth message of a second."""
        raise Hangup(1008, "Too many requests")

    def goodbye(self, _session: Session) -> Iterable[Message]:
        """Return the event that comes before a shutdown."""
        return [{"e": "serverShutdown", "E": self.dialect.stamp_ms()}]

    def update(self, session: Session, topic: str, listed: Market) -> Message:
        """Return an event, wrapped on a combined connection."""
        data = self._event(topic, listed)
        return {"stream": topic, "data": data} if _COMBINED in session.marks else data

    def _subscribe(self, session: Session, names: Iterable[str]) -> None:
        for name in names:
            symbol, _, kind = name.partition("@")
            listed = self.dialect.markets.get(symbol.upper()) if symbol == symbol.lower() else None
            if listed is not None and listed.trading and kind in KINDS:
                session.topics[name] = listed

    def _event(self, topic: str, listed: Market) -> dict[str, object]:
        symbol, _, kind = topic.partition("@")
        name, tick = symbol.upper(), self.tick(listed)
        last, size = format(tick.last, ".8f"), format(tick.volume / 10_000, ".8f")
        bid, ask = format(tick.bid, ".8f"), format(tick.ask, ".8f")
        if kind == "bookTicker":
            return {"u": tick.trade_id, "s": name, "b": bid, "B": size, "a": ask, "A": size}
        stamp_ms = tick.time_ms
        if kind == "trade":
            trade = {"t": tick.trade_id, "p": last, "q": size, "T": stamp_ms, "m": False, "M": True}
            return {"e": "trade", "E": stamp_ms, "s": name, **trade}
        day = {
            "c": last,
            "o": format(tick.open, ".8f"),
            "h": format(tick.high, ".8f"),
            "l": format(tick.low, ".8f"),
            "v": format(tick.volume, ".8f"),
            "q": format(tick.volume * tick.open, ".8f"),
        }
        if kind == "ticker":
            return {"e": "24hrTicker", "E": stamp_ms, "s": name, **day, "b": bid, "B": size, "a": ask, "A": size}
        return {"e": "24hrMiniTicker", "E": stamp_ms, "s": name, **day}


def _error(code: int, message: str, number: object) -> dict[str, object]:
    return {"error": {"code": code, "msg": message}, "id": number}
