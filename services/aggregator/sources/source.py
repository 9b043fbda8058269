"""What a source is: a declaration of how the provider behaves, and one verb."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Protocol

from meshkit.errors import MeshError
from services.aggregator.prices.asset_class import AssetClass, asset_class
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


class ExchangeTime(StrEnum):
    """Tell what the time in a provider's answer is the time of."""

    NONE = "none"
    TRADE = "trade"
    UPDATE = "update"
    ANSWER = "answer"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class Key:
    """
    State how a provider takes its key.

    Attributes:
        required: Whether there is no answer without one; such a source is off until it has a key.
        header: The header that carries it; empty for a provider that takes none.
        scheme: What stands before the key in the header.
        parameter: The query parameter that carries it, only where no header can.
        host_headers: Another header at another of the provider's hosts, by host name.
    """

    required: bool
    header: str = ""
    scheme: str = ""
    parameter: str = ""
    host_headers: tuple[tuple[str, str], ...] = ()

    def header_at(self, host: str) -> str:
        """Return the header that carries the key at a host."""
        return dict(self.host_headers).get(host, self.header)


@dataclass(frozen=True, slots=True)
class Declaration:
    """
    State how a provider behaves.

    Attributes:
        name: The name in routes, metrics and feeds.
        base_url: The provider's own address; configuration may set another.
        max_batch: How many pairs one fetch may carry; 1 for a provider without batches.
        rps: How many calls a second it allows a client without a contract, unless configuration says otherwise.
        hosts: Further addresses of the provider itself that `base_url` may be replaced by.
        max_concurrent: How many requests may be under way at once, unless configuration says otherwise.
        cool_down_ms: How long to be silent after a limit answer that does not say how long.
        reset_header: A header that tells when a limit is over, in ms or as a Unix time in ms, beside Retry-After.
        fold: Return the one spelling of all those that are the same pair there, such as BTC/USD for btc/usd.
        key: How it takes a key; None where there are no keys.
        exchange_time: What the time of a price is the time of.
        max_age_ms: How old a price may be by that time.
        major_max_age_ms: How old one of a great coin or a currency may be, which trades all the time; None for as old
            as any other.
        named: Return a pair in the world's names, where the provider has others.
        has_stream: Whether it has a WebSocket that we can use.
        is_aggregate: Whether its prices are made of those of other sources, so that beside them it proves little.
    """

    name: str
    base_url: str
    max_batch: int
    rps: Fraction = Fraction(1)
    hosts: tuple[str, ...] = ()
    max_concurrent: int = 10
    cool_down_ms: int = 5_000
    reset_header: str = ""
    fold: Callable[[Pair], Pair] = Pair.upper
    key: Key | None = None
    exchange_time: ExchangeTime = ExchangeTime.NONE
    max_age_ms: int = HOUR_MS
    major_max_age_ms: int | None = None
    named: Callable[[Pair], Pair] = Pair.upper
    has_stream: bool = False
    is_aggregate: bool = False

    def max_age_of(self, pair: Pair) -> int:
        """Return how old a price of a pair may be by the exchange's time, in ms."""
        if self.major_max_age_ms is not None and asset_class(self.named(pair)) is AssetClass.MAJORS:
            return self.major_max_age_ms
        return self.max_age_ms

    @property
    def config_key(self) -> str:
        """Return the name in the configuration, which has no dash: exchangeratehost."""
        return self.name.replace("-", "")


TickOutcome = Tick | MeshError


class RateLimiter(Protocol):
    """Let the calls of one fetch through as the rate of its source allows."""

    async def acquire(self) -> None:
        """Return when the source may be called, once; raise SourceBusy if that is too late for the fetch."""
        ...


class Unlimited:
    """Let every call through at once."""

    async def acquire(self) -> None:
        """Return."""


UNLIMITED = Unlimited()


class Source(Protocol):
    """Fetch prices from one provider."""

    @property
    def DECLARATION(self) -> Declaration:
        """Return how the provider behaves."""
        ...

    async def fetch(self, pairs: Sequence[Pair], limiter: RateLimiter = UNLIMITED) -> Mapping[Pair, TickOutcome]:
        """
        Return a tick or an error for each of up to `max_batch` distinct pairs; `limiter` is asked before each call.

        An UnknownPair is among the outcomes only where the provider itself says that it does not have the pair.
        Raises a MeshError that concerns all of them: SourceRateLimited, AccessRefused, ProviderFault, SourceTimeout,
        MalformedAnswer, and what `limiter` raises.
        """
        ...
