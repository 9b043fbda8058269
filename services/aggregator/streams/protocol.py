"""
What a stream is: rules of how the provider behaves, and a dialect.

A dialect turns pairs into messages and messages into events. It knows no socket and no time. Symbols are the provider's
own names of pairs.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from services.aggregator import exact_json
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.sources import shapes
from services.aggregator.sources.shapes import Misshapen, Record

# What a provider says of an error is logged, and it may say anything.
_LONGEST_WORDS = 200
_ERROR_FIELDS = ("error", "errors", "err")


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
        separator: What stands between the assets in a name; no asset that can be told from the name has it.
        quotes: The assets that the provider quotes in, where a name has nothing between its assets.
        has_listed_names: Whether the names are those of the REST API's listing.
        price_frame: A whole message that is one price of one market, which is its group, so that a later one of the
            same market makes it worthless; None if no message can be told to be one before it is read.
        unknown_words: What the provider says, in lower case, of a request with a symbol that it does not have. A
            request that fails in other words says nothing about its symbols.
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
    separator: str = "-"
    quotes: frozenset[str] = frozenset()
    has_listed_names: bool = True
    price_frame: re.Pattern[str] | None = None
    unknown_words: tuple[str, ...] = ()
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
    """The provider reports an error that belongs to no symbol and no request; the connection is of no use any more."""

    reason: str


@dataclass(frozen=True, slots=True)
class Halt:
    """The market of a symbol is in a `status` in which nobody trades, or trades again if that is empty; "" is all."""

    symbol: str
    status: str


@dataclass(frozen=True, slots=True)
class Odd:
    """A row cannot be read; those beside it can."""

    reason: str


Event = Price | Confirmed | Rejected | Failed | Welcome | Alive | Leave | Complaint | Halt | Odd


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
        """Return the events of a message, an Odd for each row that cannot be read; raises Misshapen if all of it is."""
        ...


def parse(text: str) -> object:
    """Return the value of a JSON text, numbers with a fraction as Decimal; other texts as they are ("pong")."""
    if text[:1] not in ("{", "["):
        return text
    return exact_json.loads(text)


def dump(message: object) -> str:
    """Return a message as JSON text without spaces."""
    return json.dumps(message, separators=(",", ":"))


def each(found: Sequence[Any], field: str, read: Callable[[str, Record], Event]) -> Iterator[Event]:
    """
    Yield the event of each row of a message, an Odd for a row that cannot be read.

    A row's name is the text in `field`; several rows of one name with different values are none.
    """
    for name, row in shapes.by_name(found, field).items():
        yield row_event(name, row, read)
    for row in found:
        if not isinstance(row, dict) or not isinstance(row.get(field), str):
            yield Odd(f"a row without {field}: {shapes.shown(row)}")


def row_event(name: str, row: object, read: Callable[[str, Record], Event]) -> Event:
    """Return the event of a row, an Odd if it cannot be read."""
    try:
        return read(name, shapes.record(row, name))
    except Misshapen as error:
        return Odd(str(error))


def request_of(message: Record, field: str) -> str:
    """Return the number of the request that a message answers, empty if it names none."""
    found = message.get(field)
    return str(found) if isinstance(found, str | int) and not isinstance(found, bool) else ""


def other(message: Record) -> Event:
    """Return the event of a message that is none of those we know: an error in whatever words, or a sign of life."""
    is_error = message.get("success") is False or "error" in (message.get("type"), message.get("event"))
    if is_error or any(message.get(name) for name in _ERROR_FIELDS):
        return Complaint(words(dump_shown(message)))
    return Alive()


def dump_shown(message: Record) -> str:
    """Return the fields of an object that are not objects themselves, as text."""
    return " ".join(f"{name}={shapes.shown(value)}" for name, value in list(message.items())[:8])


def words(found: object) -> str:
    """Return what a provider says of an error, no longer than is good for a log."""
    return (found if isinstance(found, str) else shapes.shown(found))[:_LONGEST_WORDS]
