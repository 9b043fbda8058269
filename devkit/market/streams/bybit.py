"""Bybit v5 public spot: ten arguments a request, one acknowledgement for all of them, snapshots only."""

from collections.abc import Iterable
from typing import Final

from devkit.market.dialects.bybit import day
from devkit.market.streams.stream import Hangup, Message, Rate, Session, Stream, texts
from devkit.market.venue import Market

MOST_ARGS: Final = 10
MOST_CHARACTERS: Final = 21_000
IDLE_S: Final = 600
_PREFIX: Final = "tickers."


class BybitStream(Stream):
    """Speak Bybit's public spot stream. One bad argument refuses the whole request."""

    paths = ("/ws", "/v5/public/spot")
    push_ms = 50
    connects = Rate(500, 300.0)

    def handle(self, session: Session, message: dict[str, object]) -> Iterable[Message]:
        """Answer ping, subscribe and unsubscribe."""
        operation, names = message.get("op"), texts(message.get("args"))
        match operation:
            case "ping":
                return [_answer(session, message, success=True, text="pong")]
            case "subscribe" | "unsubscribe":
                problem = self._problem(session, names)
                if problem is not None:
                    return [_answer(session, message, success=False, text=problem)]
            case _:
                return [_answer(session, message, success=False, text="error:op not support")]
        markets = {name: self.dialect.markets[name.removeprefix(_PREFIX)] for name in names}
        if operation == "subscribe":
            session.topics.update(markets)
            first = [self.update(session, topic, listed) for topic, listed in markets.items()]
            return [_answer(session, message, success=True, text="subscribe"), *first]
        for name in names:
            session.topics.pop(name, None)
        return [_answer(session, message, success=True, text="unsubscribe")]

    def _problem(self, session: Session, names: list[str]) -> str | None:
        if not names:
            return "error:args is empty"
        if len(names) > MOST_ARGS:
            return f"args size >{MOST_ARGS}"
        if sum(map(len, session.topics.keys() | set(names))) > MOST_CHARACTERS:
            return f"args length >{MOST_CHARACTERS}"
        for name in names:
            if not name.startswith(_PREFIX):
                return f"error:handler not found,topic:{name}"
            if name.removeprefix(_PREFIX) not in self.dialect.markets:
                return f"Invalid symbol :[{name}]"
        return None

    def misunderstood(self, session: Session, _text: str) -> Iterable[Message]:
        """Return the error for what is no JSON object."""
        return [_answer(session, {}, success=False, text="Request format error")]

    def check(self, session: Session, now_s: float) -> None:
        """Close a client that sends nothing, not even pings, for ten minutes."""
        if now_s - session.heard_s >= IDLE_S:
            raise Hangup(1000, "idle")

    def update(self, session: Session, topic: str, listed: Market) -> Message:
        """Return a snapshot; streams have no bid and ask."""
        tick = self.tick(listed)
        envelope = {"topic": topic, "ts": tick.time_ms, "type": "snapshot", "cs": session.next()}
        return {**envelope, "data": day(topic.removeprefix(_PREFIX), tick)}


def _answer(session: Session, message: dict[str, object], *, success: bool, text: str) -> dict[str, object]:
    body: dict[str, object] = {"success": success, "ret_msg": text, "conn_id": session.id}
    return {**body, "req_id": message.get("req_id", ""), "op": message.get("op", "")}
