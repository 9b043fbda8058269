"""What a dialect is: the language of one source, spoken about the simulated market."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from decimal import Context, Decimal
from typing import ClassVar

import orjson
from aiohttp import web

from devkit.market.venue import Market, Tick, Venue
from meshkit.clock import Clock

REFUSED_KEY = "refused"
"""The key that every source with keys refuses; it accepts any other that is not empty."""


class Dialect(ABC):
    """
    Answer HTTP requests as one source does.

    Paths are the source's own; the application serves them below `/<source>`, so that only the base URL differs.
    """

    source: ClassVar[str]
    """The source's name, which is also its path prefix."""
    markets: Mapping[str, Market]
    """What the source lists, by its own names."""

    def __init__(self, venue: Venue, clock: Clock) -> None:
        self.venue = venue
        self.clock = clock

    @abstractmethod
    def routes(self) -> Sequence[web.RouteDef]:
        """Return the paths and their handlers."""

    @abstractmethod
    def limit_answers(self) -> Mapping[str, web.Response]:
        """Return what this source answers to a client that asks too much, by name; the first is the usual one."""

    def refusal(self, _request: web.Request) -> web.Response | None:
        """Return the answer to a request without a valid key; None if the request may pass."""
        return None

    def tick(self, listed: Market) -> Tick:
        """Return the market's tick now."""
        return self.venue.tick(listed, self.clock.time_ms())

    def stamp_ms(self) -> int:
        """Return the time in ms that the source says it is."""
        return self.venue.stamp_ms(self.clock.time_ms())


def answer(body: object, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Return a JSON answer."""
    return web.Response(body=orjson.dumps(body), status=status, headers=headers, content_type="application/json")


def text(number: Decimal) -> str:
    """Return a number in plain notation."""
    return format(number, "f")


def number(value: Decimal) -> orjson.Fragment:
    """Return a JSON number with just the digits of the decimal."""
    return orjson.Fragment(text(value))


def rounded(price: Decimal, digits: Context) -> Decimal:
    """Return a price with fewer digits; what is no number, or prints itself in its own way, stays as it is."""
    return price if type(price) is not Decimal or price.is_nan() else digits.plus(price)


def share(volume: Decimal, parts: int) -> Decimal:
    """Return a part of a day's volume, as the size of one trade or of the best offer, with eight decimals."""
    return (volume / parts).quantize(Decimal("0.00000001"))
