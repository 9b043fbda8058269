"""OKX public channel: an acknowledgement for each argument, ping and pong as bare text, 30 seconds of patience."""

from collections.abc import Iterable
from typing import Final

from devkit.market.dialects.okx import ticker
from devkit.market.streams.stream import Hangup, Message, Rate, Session, Stream
from devkit.market.venue import Market

SILENCE_S: Final = 30


class OkxStream(Stream):
    """Speak OKX's public channel."""

    push_ms = 100
    rate = Rate(480, 3600.0)
    connects = Rate(3, 1.0)

    def receive(self, session: Session, text: str) -> Iterable[Message]:
        """Answer a ping, which is no JSON, or a message."""
        return ["pong"] if text == "ping" else super().receive(session, text)

    def handle(self, session: Session, message: dict[str, object]) -> Iterable[Message]:
        """Answer subscribe and unsubscribe, one answer an argument, then the first ticker of each."""
        operation, arguments = message.get("op"), message.get("args")
        if operation not in ("subscribe", "unsubscribe") or not isinstance(arguments, list):
            return self.misunderstood(session, str(message))
        answers: list[Message] = []
        first: list[Message] = []
        for argument in arguments:
            fields = argument if isinstance(argument, dict) else {}
            channel, name = str(fields.get("channel", "")), str(fields.get("instId", ""))
            listed = self.dialect.markets.get(name)
            if channel != "tickers" or listed is None or not listed.trading:
                text = (
                    f"Wrong URL or channel:{channel},instId:{name} doesn't exist. Please use the correct URL, channel"
                )
                answers.append(_error(session, "60018", f"{text} and parameters referring to API document."))
                continue
            if operation == "subscribe":
                session.topics[name] = listed
                first.append(self.update(session, name, listed))
            else:
                session.topics.pop(name, None)
            arg = {"channel": channel, "instId": name}
            answers.append({"event": operation, "arg": arg, "connId": session.id})
        return [*answers, *first]

    def misunderstood(self, session: Session, text: str) -> Iterable[Message]:
        """Return the error for a request that cannot be read."""
        return [_error(session, "60012", f"Illegal request: {text}")]

    def too_fast(self, session: Session) -> Iterable[Message]:
        """Return the error for too many subscriptions an hour."""
        return [_error(session, "60014", "Requests too frequent")]

    def check(self, session: Session, now_s: float) -> None:
        """Close when neither side said anything for 30 s."""
        if now_s - max(session.heard_s, session.pushed_s) >= SILENCE_S:
            raise Hangup(4004, "No data received in 30s.")

    def goodbye(self, session: Session) -> Iterable[Message]:
        """Return the notice of a service upgrade."""
        text = "The connection will soon be closed for a service upgrade. Please reconnect."
        return [{"event": "notice", "code": "64008", "msg": text, "connId": session.id}]

    def update(self, _session: Session, topic: str, listed: Market) -> Message:
        """Return a ticker."""
        return {"arg": {"channel": "tickers", "instId": topic}, "data": [ticker(topic, self.tick(listed))]}


def _error(session: Session, code: str, message: str) -> dict[str, object]:
    return {"event": "error", "code": code, "msg": message, "connId": session.id}
