"""
Why there is no price.

    MeshError
    ├── NotFound
    │   ├── UnknownPair          no source, or not the one asked, knows the pair
    │   ├── UnknownSource        there is no source of that name
    │   └── SourceDisabled       the source is switched off by configuration
    ├── RateLimited
    │   ├── SourceRateLimited    the source told us to wait
    │   ├── SourceBusy           our own limits leave no turn at the source in time
    │   └── TooManyPairs         the registry is full until inactive pairs are removed
    ├── Unavailable
    │   ├── TooFewSources        fewer sources are fresh and in agreement than a median needs
    │   ├── SourcesDisagree      no majority of the sources is near enough together to be trusted
    │   ├── PriceUnconfirmed     the sources agree, but the price is too far from the last one to be believed yet
    │   ├── ConversionMissing    a price in a stablecoin cannot be converted, as there is no fresh price of the coin
    │   ├── ProviderFault        the source cannot be reached or reports a fault of its own
    │   ├── AccessRefused        the source refuses our key or our address
    │   ├── MalformedAnswer      the source's answer is not what it documents
    │   ├── PriceRefused         the source's price failed validation
    │   │   └── MarketHalted     nobody trades on the pair's market now
    │   └── OwnClockOff          our own clock is off by what most timed sources say, so that no age is known
    └── DeadlineExceeded
        ├── SourceTimeout        the source did not answer in its time
        └── QuoteTimeout         the caller's time is over; the fetch goes on and fills the cache

A limit answer is never an unknown pair, and neither is an answer we cannot read: only a source's own words that it
does not have the pair make an UnknownPair.
"""

from collections.abc import Mapping
from decimal import Decimal

from meshkit.errors import DeadlineExceeded, MeshError, NotFound, RateLimited, Unavailable
from services.aggregator.prices.median import median, spread_bps
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.price import plain_text


class UnknownPair(NotFound):
    """No source, or not the one asked, knows the pair."""

    reason = "UNKNOWN_PAIR"

    def __init__(self, pair: Pair, source: str = "") -> None:
        super().__init__("pair", str(pair))
        self.source = source

    def __str__(self) -> str:
        return f"no price found for {self.name} from {self.source or 'any source'}"


class UnknownSource(NotFound):
    """There is no source of that name."""

    reason = "UNKNOWN_SOURCE"

    def __init__(self, source: str, known: str) -> None:
        super().__init__("source", source)
        self.known = known

    def __str__(self) -> str:
        return f"no source {self.name!r}; there are: {self.known}"


class SourceDisabled(NotFound):
    """The source is switched off by configuration."""

    reason = "SOURCE_DISABLED"

    def __init__(self, source: str) -> None:
        super().__init__("source", source)

    def __str__(self) -> str:
        return f"source {self.name!r} is disabled"


class SourceRateLimited(RateLimited):
    """The source told us to wait."""

    reason = "SOURCE_RATE_LIMITED"

    def __init__(self, source: str, retry_after_ms: int) -> None:
        super().__init__(retry_after_ms)
        self.source = source

    def __str__(self) -> str:
        return f"{self.source} limits us, retry after {self.retry_after_ms} ms"


class SourceBusy(RateLimited):
    """Our own limits leave no turn at the source in time."""

    reason = "SOURCE_BUSY"

    def __init__(self, source: str, retry_after_ms: int, why: str) -> None:
        super().__init__(retry_after_ms)
        self.source = source
        self.why = why

    def __str__(self) -> str:
        return f"{self.source} is busy: {self.why}, retry after {self.retry_after_ms} ms"


class TooManyPairs(RateLimited):
    """The registry is full until inactive pairs are removed."""

    reason = "TOO_MANY_PAIRS"

    def __init__(self, limit: int, retry_after_ms: int) -> None:
        super().__init__(retry_after_ms)
        self.limit = limit

    def __str__(self) -> str:
        return f"{self.limit} pairs are registered, no more are accepted until inactive ones are removed"


class TooFewSources(Unavailable):
    """Fewer sources are fresh than a median needs."""

    reason = "TOO_FEW_SOURCES"

    def __init__(self, pair: Pair, fresh: int, required: int, causes: Mapping[str, MeshError]) -> None:
        detail = "; ".join(str(error) for _, error in sorted(causes.items()))
        super().__init__(f"{pair} has {fresh} fresh sources, {required} are required" + (f" ({detail})" * bool(detail)))
        self.pair = pair
        self.fresh = fresh
        self.required = required


class SourcesDisagree(Unavailable):
    """No majority of the sources is near enough together to be trusted."""

    reason = "SOURCES_DISAGREE"

    def __init__(self, pair: Pair, prices: Mapping[str, Decimal], bound_bps: int | None) -> None:
        said = ", ".join(f"{source} {plain_text(price)}" for source, price in sorted(prices.items()))
        spread = spread_bps(list(prices.values()), median(list(prices.values())))
        allowed = "" if bound_bps is None else f", those of a majority may be {bound_bps} apart"
        super().__init__(f"the prices of {pair} are {spread} basis points apart{allowed} ({said})")
        self.pair = pair
        self.prices = prices
        self.bound_bps = bound_bps


class PriceUnconfirmed(Unavailable):
    """
    The sources agree, but the price is too far from the last one to be believed yet.

    Attributes:
        wait_s: How soon it may be believed if the sources say it again; None if nobody can tell.
    """

    reason = "PRICE_UNCONFIRMED"

    def __init__(
        self, pair: Pair, price: Decimal, last: Decimal | None, rule: str, why: str, wait_s: float | None = None
    ) -> None:
        before = "" if last is None else f", after {plain_text(last)}"
        super().__init__(f"the price of {pair} is not believed yet: {plain_text(price)}{before}: {why}")
        self.pair = pair
        self.price = price
        self.rule = rule
        self.wait_s = wait_s


class ConversionMissing(Unavailable):
    """A price in a stablecoin cannot be converted, as there is no fresh price of the coin."""

    reason = "CONVERSION_MISSING"

    def __init__(self, source: str, rate: Pair) -> None:
        super().__init__(f"{source}: no fresh price of {rate} to convert with")
        self.source = source
        self.rate = rate


class _OfSource(Unavailable):
    """A failure of one source."""

    http_status = 502

    def __init__(self, source: str, message: str) -> None:
        super().__init__(f"{source}: {message}")
        self.source = source


class ProviderFault(_OfSource):
    """
    The source cannot be reached or reports a fault of its own.

    Attributes:
        refuses_question: Whether it refused what it was asked, in words that say nothing of the source as a whole.
    """

    reason = "PROVIDER_FAULT"

    def __init__(self, source: str, message: str, *, refuses_question: bool = False) -> None:
        super().__init__(source, message)
        self.refuses_question = refuses_question


class AccessRefused(_OfSource):
    """The source refuses our key or our address."""

    reason = "ACCESS_REFUSED"


class MalformedAnswer(_OfSource):
    """The source's answer is not what it documents."""

    reason = "MALFORMED_ANSWER"


# Of these rules a price may fall foul and yet be right.
_DOUBTS = frozenset({"first", "jump", "rate", "unit"})


class PriceRefused(_OfSource):
    """The source's price failed validation."""

    reason = "PRICE_REFUSED"

    def __init__(self, source: str, pair: Pair, found: str, why: str, rule: str = "source") -> None:
        super().__init__(source, f"price of {pair} refused: {why}, found {found!r}")
        self.pair = pair
        self.rule = rule
        self.found = found

    @property
    def is_doubt(self) -> bool:
        """Tell whether the price is plausible in itself, and other sources may confirm it."""
        return self.rule in _DOUBTS


class MarketHalted(PriceRefused):
    """Nobody trades on the pair's market now, so that its last price is no price of now."""

    reason = "MARKET_HALTED"

    def __init__(self, source: str, pair: Pair, status: str) -> None:
        super().__init__(source, pair, status, "nobody trades on its market", rule="halted")


class OwnClockOff(Unavailable):
    """
    Our own clock is off by what most timed sources say, so that no price's age is known.

    Attributes:
        ahead_ms: By how much it is ahead; negative if it is behind.
        agreeing: How many sources say so.
        timed: How many tell a time at all.
    """

    reason = "OWN_CLOCK_OFF"

    def __init__(self, ahead_ms: int, agreeing: int, timed: int) -> None:
        way = "ahead" if ahead_ms > 0 else "behind"
        seconds = f"{abs(ahead_ms) / 1000:.0f} s"
        super().__init__(f"our own clock is {seconds} {way} by {agreeing} of {timed} sources: there are no prices")
        self.ahead_ms = ahead_ms
        self.agreeing = agreeing
        self.timed = timed


class SourceTimeout(DeadlineExceeded):
    """The source did not answer in its time."""

    reason = "SOURCE_TIMEOUT"

    def __init__(self, source: str, timeout_ms: int) -> None:
        super().__init__(f"{source} did not answer within {timeout_ms} ms")
        self.source = source
        self.timeout_ms = timeout_ms


class QuoteTimeout(DeadlineExceeded):
    """The caller's time is over; the fetch goes on and fills the cache."""

    reason = "QUOTE_TIMEOUT"

    def __init__(self, pair: Pair, source: str, timeout_ms: int) -> None:
        super().__init__(f"no price for {pair} from {source} within {timeout_ms} ms; the fetch goes on")
        self.pair = pair
        self.source = source
        self.timeout_ms = timeout_ms
