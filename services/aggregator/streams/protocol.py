"""
What a stream is: rules of how the provider behaves, and a dialect.

A dialect turns pairs into messages and messages into events. It knows no socket and no time. Symbols are the provider's
own names of pairs.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from services.aggregator import exact_json
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Ping:
    """
    State how we show that we are there, and the provider that it is.

    Attributes:
        every_s: The time between two pings.
        say: Return the message that the provider answers, by its number on the connection.
    """

    every_s: float
    say: Callable[[int], str]


@dataclass(frozen=True, slots=True)
class Rules:
    """
    State how a provider's stream behaves.

    Attributes:
        source: The source's name.
        url: The provider's own address.
        regions: The address by the host of the REST API, where a region's stream is a market of its own.
        key_parameter: The query parameter that carries the API key; empty where none is needed.
        token_path: Where to POST for a token and an address before each connection; empty where none is needed.
        welcomes: Whether nothing may be sent before the provider's welcome.
        acknowledges: Whether the provider confirms subscriptions.
        batch: How many symbols one message may name.
        symbols_per_connection: How many symbols one connection may carry.
        most_connections: How many connections one client may have; None for as many as are needed.
        message_gap_s: The least time between two of our messages.
        messages_per_hour: How many messages a connection may send in an hour; None for no such limit.
        connect_gap_s: The least time between two connects, and before the first reconnect.
        ping: How we ping; None where the provider's own pings or heartbeats are enough.
        silence_s: How long nothing may come before the connection counts as dead.
        quiet_s: How long no price may come, heartbeats or not, before the connection is made anew.
        lifetime_s: After which time to move to a new connection, before the provider ends the old one.
    """

    source: str
    url: str
    silence_s: float
    regions: Mapping[str, str] = field(default_factory=dict)
    key_parameter: str = ""
    token_path: str = ""
    welcomes: bool = False
    acknowledges: bool = True
    batch: int = 100
    symbols_per_connection: int = 500
    most_connections: int | None = None
    message_gap_s: float = 0.1
    messages_per_hour: int | None = None
    connect_gap_s: float = 1.0
    ping: Ping | None = None
    quiet_s: float = 120.0
    lifetime_s: float | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """A symbol has a price."""

    symbol: str
    tick: Tick


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A symbol is subscribed, or with `request_id` all symbols of that request are."""

    symbol: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The provider does not stream this symbol; if not `alone`, it dropped the other symbols of the request as well."""

    symbol: str
    reason: str
    alone: bool = True


@dataclass(frozen=True, slots=True)
class Failed:
    """A request failed without a word on which of its symbols; a `temporary` failure says nothing about them."""

    request_id: str
    reason: str
    temporary: bool = False


@dataclass(frozen=True, slots=True)
class Welcome:
    """The provider is ready for our messages."""


@dataclass(frozen=True, slots=True)
class Alive:
    """A heartbeat, a pong or another message without content for us."""


@dataclass(frozen=True, slots=True)
class Leave:
    """The provider is about to close this connection, or wants it closed."""

    reason: str


@dataclass(frozen=True, slots=True)
class Complaint:
    """The provider reports an error that belongs to no symbol and no request."""

    reason: str


Event = Price | Confirmed | Rejected | Failed | Welcome | Alive | Leave | Complaint


class Dialect(Protocol):
    """Speak one provider's language; messages are texts, `read` gets them parsed."""

    @property
    def RULES(self) -> Rules:
        """Return how the provider behaves."""
        ...

    def symbol(self, pair: Pair) -> str:
        """Return the provider's name of a pair."""
        ...

    def subscribe(self, symbols: Sequence[str], request_id: int) -> str:
        """Return the message that subscribes to up to `batch` symbols."""
        ...

    def unsubscribe(self, symbols: Sequence[str], request_id: int) -> str:
        """Return the message that ends the subscription of up to `batch` symbols."""
        ...

    def read(self, message: object) -> Iterable[Event]:
        """Return the events of a message; raises LookupError, TypeError, ValueError or AttributeError for odd ones."""
        ...


def parse(text: str) -> object:
    """Return the value of a JSON text, numbers with a fraction as Decimal; other texts as they are ("pong")."""
    if text[:1] not in ("{", "["):
        return text
    return exact_json.loads(text)


def dump(message: object) -> str:
    """Return a message as JSON text without spaces."""
    return json.dumps(message, separators=(",", ":"))


def milliseconds(text: str) -> int:
    """Return an RFC 3339 time as Unix milliseconds; raise ValueError or TypeError for one without a zone."""
    return (datetime.fromisoformat(text) - _EPOCH) // _MILLISECOND
