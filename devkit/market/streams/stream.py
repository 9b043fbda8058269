"""What a stream is: one source's rules of a WebSocket conversation, without the socket."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar, Final, TypeAlias

import orjson
from aiohttp import web

from devkit.market.dialects.dialect import Dialect
from devkit.market.venue import Market, Tick

Message: TypeAlias = str | dict[str, object]
"""What is sent: text as it stands, anything else as JSON."""


EVERYTHING: Final = "all"
"""The mark of a client that wants every market."""


class Hangup(Exception):
    """Close the connection after some last messages."""

    def __init__(self, code: int, reason: str, *last: Message) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason
        self.last = last


@dataclass(frozen=True, slots=True)
class Rate:
    """Allow so many events within a sliding window."""

    count: int
    window_s: float

    def admits(self, earlier: deque[float], now_s: float) -> bool:
        """Note one more event beside the earlier ones, and tell whether it is within the window's number."""
        while earlier and now_s - earlier[0] >= self.window_s:
            earlier.popleft()
        earlier.append(now_s)
        return len(earlier) <= self.count


@dataclass(eq=False, slots=True)
class Session:
    """
    Hold one connection's state. Times are those of the monotonic clock, in s.

    `topics` are the subscriptions by the source's own name of each; `marks` are what else the client asked for;
    `pinged_s` is when the ping was sent that waits for its pong.
    """

    id: str
    opened_s: float
    topics: dict[str, Market] = field(default_factory=dict)
    marks: dict[str, str] = field(default_factory=dict)
    heard_s: float = 0
    sent_s: float = 0
    pushed_s: float = 0
    beat_s: float = 0
    ping_due_s: float = 0
    pinged_s: float | None = None
    sequence: int = 0
    inbox: deque[float] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.heard_s = self.sent_s = self.pushed_s = self.beat_s = self.ping_due_s = self.opened_s

    def hear(self, now_s: float, rate: Rate | None) -> bool:
        """Note a message of the client and tell whether it is within the rate."""
        self.heard_s = now_s
        return rate is None or rate.admits(self.inbox, now_s)

    def next(self) -> int:
        """Return the number of the next message."""
        self.sequence += 1
        return self.sequence


class Stream(ABC):
    """
    Say what one source sends, when.

    Class attributes are its documented rules: `push_ms` is the shortest time between two messages of a market, `beat_s`
    the time between heartbeats of the server, `ping_s` that between its protocol pings, with `pong_s` to answer one,
    `lifetime_s` a connection's age limit, `rate` the client's message limit, `connects` that of its connections.
    """

    paths: ClassVar[tuple[str, ...]] = ("/ws",)
    push_ms: ClassVar[int] = 100
    beat_s: ClassVar[float | None] = None
    ping_s: ClassVar[float | None] = None
    pong_s: ClassVar[float] = 60
    lifetime_s: ClassVar[float | None] = None
    rate: ClassVar[Rate | None] = None
    connects: ClassVar[Rate | None] = None

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect

    def routes(self) -> Sequence[web.RouteDef]:
        """Return the paths of the source's own that belong to streaming but are plain HTTP."""
        return ()

    def refusal(self, _request: web.Request, _open: Iterable[Session]) -> web.Response | None:
        """Return the HTTP answer to a client that may not connect."""
        return None

    def welcome(self, _session: Session, _request: web.Request) -> Iterable[Message]:
        """Return what is sent to a new client; raise Hangup to close at once."""
        return ()

    def receive(self, session: Session, text: str) -> Iterable[Message]:
        """Return the answers to a message; raise Hangup to close."""
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            return self.misunderstood(session, text)
        return self.handle(session, message) if isinstance(message, dict) else self.misunderstood(session, text)

    @abstractmethod
    def handle(self, session: Session, message: dict[str, object]) -> Iterable[Message]:
        """Return the answers to a JSON object; raise Hangup to close."""

    @abstractmethod
    def misunderstood(self, session: Session, text: str) -> Iterable[Message]:
        """Return the answers to what is no JSON object."""

    def too_fast(self, _session: Session) -> Iterable[Message]:
        """Return the answers to a message above the rate; raise Hangup to close."""
        raise Hangup(1008, "Too many requests")

    @abstractmethod
    def update(self, session: Session, topic: str, listed: Market) -> Message:
        """Return a subscription's message now."""

    def push(self, session: Session) -> Iterable[Message]:
        """Return what is sent when prices have changed."""
        return [self.update(session, topic, listed) for topic, listed in session.topics.items()]

    def beat(self, session: Session, now_s: float) -> Iterable[Message]:
        """Return the heartbeats that are due."""
        if self.beat_s is None or now_s - session.beat_s < self.beat_s:
            return ()
        session.beat_s = now_s
        return self.heartbeat(session)

    def heartbeat(self, _session: Session) -> Iterable[Message]:
        """Return one heartbeat."""
        return ()

    def check(self, _session: Session, _now_s: float) -> None:
        """Raise Hangup if the client broke a rule by what it did not do."""
        return

    def goodbye(self, _session: Session) -> Iterable[Message]:
        """Return the notice before the source itself closes."""
        return ()

    def tick(self, listed: Market) -> Tick:
        """Return a market's tick now."""
        return self.dialect.tick(listed)


def texts(value: object) -> list[str]:
    """Return a list's texts; anything else is empty."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def rfc3339(t_ms: int, digits: int = 6) -> str:
    """Return RFC 3339 with a Z and so many digits of the second's fraction."""
    seconds, rest_ms = divmod(t_ms, 1000)
    fraction = f"{rest_ms:03d}".ljust(digits, "0")
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{fraction}Z"
