"""Finnhub trades: one symbol a message, no acknowledgement, several trades in one answer, one connection a key."""

from collections.abc import Iterable
from typing import Final

from aiohttp import web

from devkit.market.dialects.dialect import REFUSED_KEY, answer, number, share
from devkit.market.streams.stream import Message, Session, Stream
from devkit.market.venue import Market

MOST_SYMBOLS: Final = 50


class FinnhubStream(Stream):
    """Speak Finnhub's trades."""

    push_ms = 250
    beat_s = 20

    def refusal(self, request: web.Request, open_sessions: Iterable[Session]) -> web.Response | None:
        """Refuse a bad key, and a second connection of a key."""
        token = request.query.get("token", "")
        if token in ("", REFUSED_KEY):
            return answer({"error": "Invalid API key"}, status=401)
        if any(token == session.marks.get("key") for session in open_sessions):
            return answer({"error": "Too many connections"}, status=429)
        return None

    def welcome(self, session: Session, request: web.Request) -> Iterable[Message]:
        """Say nothing, and remember whose connection this is."""
        session.marks["key"] = request.query["token"]
        return ()

    def handle(self, session: Session, message: dict[str, object]) -> Iterable[Message]:
        """Take subscribe and unsubscribe without an answer, but for errors."""
        symbol = str(message.get("symbol", ""))
        listed = self.dialect.markets.get(symbol)
        match message.get("type"):
            case "subscribe":
                if listed is None:
                    return [_error(f"Invalid symbol {symbol}")]
                if symbol not in session.topics and len(session.topics) >= MOST_SYMBOLS:
                    return [_error("Subscribing to too many symbols")]
                session.topics[symbol] = listed
            case "unsubscribe":
                session.topics.pop(symbol, None)
            case kind:
                return [_error(f"Invalid message type {kind}")]
        return []

    def misunderstood(self, _session: Session, _text: str) -> Iterable[Message]:
        """Return the error for what is no JSON object."""
        return [_error("Invalid message")]

    def heartbeat(self, _session: Session) -> Iterable[Message]:
        """Return the server's ping, which wants no answer."""
        return [{"type": "ping"}]

    def push(self, session: Session) -> Iterable[Message]:
        """Return all new trades in one message: two of each symbol, the newer one not always last."""
        trades: list[object] = []
        for symbol, listed in session.topics.items():
            trades += self._trades(symbol, listed)
        return [{"type": "trade", "data": trades}] if trades else []

    def update(self, _session: Session, topic: str, listed: Market) -> Message:
        """Return the trades of one symbol."""
        return {"type": "trade", "data": self._trades(topic, listed)}

    def _trades(self, symbol: str, listed: Market) -> list[object]:
        tick = self.tick(listed)
        size = number(share(tick.volume, 100_000))
        newer = {"s": symbol, "p": number(tick.last), "t": tick.time_ms, "v": size, "c": None}
        older = {"s": symbol, "p": number(tick.bid), "t": tick.time_ms - 40, "v": size, "c": None}
        return [newer, older] if tick.trade_id % 2 else [older, newer]


def _error(text: str) -> dict[str, object]:
    return {"type": "error", "msg": text}
