"""KuCoin public stream: a token first, symbols joined in a topic, and a client that must ping."""

from collections.abc import Iterable, Sequence
from typing import Final

from aiohttp import web

from devkit.market.dialects.dialect import answer, share, text
from devkit.market.streams.stream import EVERYTHING, Hangup, Message, Rate, Session, Stream
from devkit.market.venue import Market

PING_INTERVAL_MS: Final = 18_000
PING_TIMEOUT_MS: Final = 10_000
TOKEN_S: Final = 24 * 3600
MOST_PER_REQUEST: Final = 100
MOST_PER_CONNECTION: Final = 300
_PREFIX: Final = "/market/ticker:"


class KucoinStream(Stream):
    """Speak KuCoin's stream. A token is good for a day and for any number of connections."""

    push_ms = 100
    lifetime_s = TOKEN_S
    rate = Rate(100, 10.0)
    connects = Rate(30, 60.0)

    def routes(self) -> Sequence[web.RouteDef]:
        """Return the endpoint that gives tokens."""
        return (web.post("/api/v1/bullet-public", self._bullet),)

    async def _bullet(self, request: web.Request) -> web.Response:
        server = {
            "endpoint": f"ws://{request.host}/{self.dialect.source}/ws",
            "encrypt": False,
            "protocol": "websocket",
            "pingInterval": PING_INTERVAL_MS,
            "pingTimeout": PING_TIMEOUT_MS,
        }
        # The token carries its own end, so that the simulator need not remember any.
        token = f"sim-{self.dialect.clock.time_ms() + TOKEN_S * 1000}"
        return answer({"code": "200000", "data": {"token": token, "instanceServers": [server]}})

    def welcome(self, session: Session, request: web.Request) -> Iterable[Message]:
        """Return the welcome, or close on a token that was not given or is too old."""
        word, _, end_ms = request.query.get("token", "").partition("-")
        number = request.query.get("connectId", session.id)
        if word != "sim" or not end_ms.isdigit() or int(end_ms) <= self.dialect.clock.time_ms():
            raise Hangup(1000, "token is invalid", _error(number, 401, "token is invalid"))
        return [{"id": number, "type": "welcome"}]

    def handle(self, session: Session, message: dict[str, object]) -> Iterable[Message]:
        """Answer ping, subscribe and unsubscribe."""
        number, topic = message.get("id"), str(message.get("topic", ""))
        match message.get("type"):
            case "ping":
                session.marks["pinged"] = str(session.heard_s)
                return [{"id": number, "type": "pong"}]
            case "subscribe" | "unsubscribe" as kind:
                names = topic.removeprefix(_PREFIX).split(",")
                unknown = [name for name in names if name not in self.dialect.markets and name != EVERYTHING]
                if not topic.startswith(_PREFIX) or unknown:
                    return [_error(number, 404, f"topic {topic} is not found")]
                if len(names) > MOST_PER_REQUEST:
                    text_ = f"exceed max subscription count limitation of {MOST_PER_REQUEST} per time"
                    return [_error(number, 509, text_)]
                if len(session.topics.keys() | set(names)) > MOST_PER_CONNECTION:
                    text_ = f"exceed max subscription count limitation of {MOST_PER_CONNECTION} per session"
                    return [_error(number, 509, text_)]
                self._change(session, kind, names)
                return [{"id": number, "type": "ack"}] if message.get("response") is True else []
            case kind:
                return [_error(number, 400, f"type {kind} is not supported")]

    def _change(self, session: Session, kind: str, names: Sequence[str]) -> None:
        for name in names:
            if name == EVERYTHING:
                session.marks.pop(EVERYTHING, None)
                if kind == "subscribe":
                    session.marks[EVERYTHING] = "true"
            elif kind == "subscribe":
                session.topics[name] = self.dialect.markets[name]
            else:
                session.topics.pop(name, None)

    def misunderstood(self, session: Session, _text: str) -> Iterable[Message]:
        """Return the error for what is no JSON object."""
        return [_error(session.id, 400, "invalid message")]

    def too_fast(self, session: Session) -> Iterable[Message]:
        """Return the error for too many messages."""
        return [_error(session.id, 509, "exceed max permits per second")]

    def check(self, session: Session, now_s: float) -> None:
        """Close a client that does not ping: its protocol pings do not count."""
        pinged_s = float(session.marks.get("pinged", session.opened_s))
        if now_s - pinged_s >= (PING_INTERVAL_MS + PING_TIMEOUT_MS) / 1000:
            raise Hangup(1000, "ping timeout")

    def update(self, session: Session, topic: str, listed: Market) -> Message:
        """Return the ticker of one symbol."""
        return {"type": "message", "topic": _PREFIX + topic, "subject": "trade.ticker", "data": self._data(listed)}

    def push(self, session: Session) -> Iterable[Message]:
        """Return the tickers of the symbols, and of all where that was asked."""
        yield from super().push(session)
        if EVERYTHING in session.marks:
            for name, listed in self.dialect.markets.items():
                data = self._data(listed)
                data["time"] = data.pop("Time")
                yield {"type": "message", "topic": _PREFIX + EVERYTHING, "subject": name, "data": data}

    def _data(self, listed: Market) -> dict[str, object]:
        tick = self.tick(listed)
        size = text(share(tick.volume, 10_000))
        return {
            "bestAsk": text(tick.ask),
            "bestAskSize": size,
            "bestBid": text(tick.bid),
            "bestBidSize": size,
            "price": text(tick.last),
            "sequence": str(tick.trade_id),
            "size": text(share(tick.volume, 100_000)),
            "Time": tick.time_ms,
        }


def _error(number: object, code: int, data: str) -> dict[str, object]:
    return {"id": number, "type": "error", "code": code, "data": data}
