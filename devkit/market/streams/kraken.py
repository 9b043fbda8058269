"""Kraken WebSocket v2: modern names, an acknowledgement for each symbol, JSON numbers, heartbeats in quiet seconds."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from aiohttp import web

from devkit.market.dialects.dialect import Dialect, number
from devkit.market.streams.stream import Hangup, Message, Rate, Session, Stream, rfc3339, texts
from devkit.market.venue import Market

IDLE_S: Final = 60


class KrakenStream(Stream):
    """Speak Kraken's v2."""

    paths = ("/ws", "/ws/v2")
    push_ms = 250
    beat_s = 1
    connects = Rate(150, 600.0)

    def __init__(self, dialect: Dialect) -> None:
        super().__init__(dialect)
        self._markets = {str(listed.pair): listed for listed in dialect.markets.values()}

    def welcome(self, session: Session, _request: web.Request) -> Iterable[Message]:
        """Return the status of the system."""
        data = {"api_version": "v2", "connection_id": int(session.id.rpartition("-")[2]), "system": "online"}
        return [{"channel": "status", "type": "update", "data": [{**data, "version": "2.0.10"}]}]

    def handle(self, session: Session, message: dict[str, object]) -> Iterable[Message]:
        """Answer ping, subscribe and unsubscribe, one answer a symbol."""
        method, parameters = message.get("method"), message.get("params")
        if method == "ping":
            return [{"method": "pong", **self._meta(message)}]
        if method not in ("subscribe", "unsubscribe") or not isinstance(parameters, dict):
            return [{"error": "Unsupported method", "success": False, **self._meta(message)}]
        if parameters.get("channel") != "ticker":
            return [{"error": "Unsupported channel", "success": False, "method": method, **self._meta(message)}]
        answers: list[Message] = []
        for symbol in texts(parameters.get("symbol")):
            answers += self._one(session, str(method), symbol, parameters, message)
        return answers

    def _one(
        self, session: Session, method: str, symbol: str, parameters: dict[str, object], message: dict[str, object]
    ) -> list[Message]:
        listed, meta = self._markets.get(symbol), self._meta(message)
        error = None
        if listed is None:
            error = f"Currency pair not supported {symbol}"
        elif method == "subscribe" and symbol in session.topics:
            error = "Already subscribed to one or more instruments"
        elif method == "unsubscribe" and symbol not in session.topics:
            error = "Subscription Not Found"
        if listed is None or error is not None:
            return [{"method": method, "success": False, "error": error, "symbol": symbol, **meta}]
        snapshot = parameters.get("snapshot", True) is True
        result: dict[str, object] = {"channel": "ticker", "symbol": symbol}
        if method == "unsubscribe":
            del session.topics[symbol]
            return [{"method": method, "result": result, "success": True, **meta}]
        session.topics[symbol] = listed
        acknowledged: Message = {"method": method, "result": {**result, "snapshot": snapshot}, "success": True, **meta}
        return [acknowledged, self._ticker("snapshot", symbol, listed)] if snapshot else [acknowledged]

    def misunderstood(self, _session: Session, _text: str) -> Iterable[Message]:
        """Return the error for what is no JSON object."""
        return [{"error": "Malformed request", "success": False}]

    def beat(self, session: Session, now_s: float) -> Iterable[Message]:
        """Return a heartbeat when subscribed and nothing was sent for a second."""
        quiet = bool(session.topics) and now_s - session.sent_s >= (self.beat_s or 0)
        return [{"channel": "heartbeat"}] if quiet else ()

    def check(self, session: Session, now_s: float) -> None:
        """Close a connection without subscription on which nothing happened for a minute."""
        if not session.topics and now_s - session.heard_s >= IDLE_S:
            raise Hangup(1000, "idle")

    def update(self, _session: Session, topic: str, listed: Market) -> Message:
        """Return an update of the ticker."""
        return self._ticker("update", topic, listed)

    def _ticker(self, kind: str, symbol: str, listed: Market) -> Message:
        tick = self.tick(listed)
        size = number(tick.volume / 10_000)
        data = {
            "symbol": symbol,
            "bid": number(tick.bid),
            "bid_qty": size,
            "ask": number(tick.ask),
            "ask_qty": size,
            "last": number(tick.last),
            "volume": number(tick.volume),
            "vwap": number((tick.high + tick.low) / 2),
            "low": number(tick.low),
            "high": number(tick.high),
            "change": number(tick.last - tick.open),
            "change_pct": number(Decimal(format((tick.last - tick.open) * 100 / tick.open, ".2f"))),
            "timestamp": rfc3339(tick.time_ms),
        }
        return {"channel": "ticker", "type": kind, "data": [data]}

    def _meta(self, message: dict[str, object]) -> dict[str, object]:
        now = rfc3339(self.dialect.clock.time_ms())
        times: dict[str, object] = {"time_in": now, "time_out": now}
        return times | {"req_id": message["req_id"]} if "req_id" in message else times
