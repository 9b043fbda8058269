"""Prices on their way: what a source said, what was accepted of it, what is answered."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from meshkit.errors import MeshError
from services.aggregator.prices.pair import Pair


class QuoteStatus(StrEnum):
    """Tell whether every source mapped to the pair took part."""

    FRESH = "fresh"
    DEGRADED = "degraded"


class Verdict(StrEnum):
    """Tell what became of a source's fresh price in the making of a feed's price."""

    USED = "used"
    OUTLIER = "outlier"
    OLDER = "older"
    UNIT = "unit"
    APART = "apart"


@dataclass(frozen=True, slots=True)
class Tick:
    """
    Hold what one source said about one pair, not yet validated.

    Attributes:
        price: The last trade, text or Decimal as the source's JSON had it.
        exchange_time_ms: The source's own time of the price in Unix milliseconds, if its answer has one.
        bid: The best bid; None if the answer has none, or says that there is none.
        ask: The best ask, likewise.
        age_ms: For how long a cache before the source had kept the answer, where that is told.
        received_ms: When a stream brought it, Unix milliseconds; None for an answer, which is used at once.
    """

    price: object
    exchange_time_ms: int | None = None
    bid: object = None
    ask: object = None
    age_ms: int = 0
    received_ms: int | None = None

    @property
    def order_ms(self) -> int:
        """Return the moment by which the ticks of a stream follow each other; no claim of the future counts."""
        told, received = self.exchange_time_ms, self.received_ms
        if told is None or received is None:
            return told or received or 0
        return min(told, received)


@dataclass(frozen=True, slots=True)
class SourceQuote:
    """
    Hold one source's accepted price.

    Attributes:
        pair: The pair as the source was asked for it.
        received_ms: When the answer arrived, Unix milliseconds.
        expires_at: The moment on the monotonic clock from which on it is stale; the wall clock may be set back.
        exchange_time_ms: The source's own time of the price as it was told; None where it tells none.
        age_ms: How old it was on its arrival though it has no time of its own, since it came out of a cache.
    """

    source: str
    pair: Pair
    price: Decimal
    received_ms: int
    expires_at: float
    exchange_time_ms: int | None = None
    age_ms: int = 0

    @property
    def observed_ms(self) -> int:
        """
        Return the latest moment of which the price can have been, Unix milliseconds.

        A time ahead of our clock counts as that of the arrival, so that it holds up nothing that follows.
        """
        told = self.exchange_time_ms
        return self.received_ms - self.age_ms if told is None else min(told, self.received_ms)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Hold a fresh price that does not agree with the price of its feed, and why it does not count."""

    quote: SourceQuote
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Quote:
    """
    Hold the price of a pair with what it was made of.

    Attributes:
        pair: The pair as the feeds name it, or as one source spells it.
        sources: The prices that agree with it, in the order of source names; never empty.
        spread_bps: The distance of the highest from the lowest of them in basis points of the price.
        left_out: The fresh prices that do not agree with it, in the order of source names.
        notes: What makes the price weaker than others: `single_source`, `minority`.
    """

    pair: Pair
    price: Decimal
    status: QuoteStatus
    sources: tuple[SourceQuote, ...]
    spread_bps: Decimal
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def received_ms(self) -> int:
        """Return when the oldest of the prices arrived, Unix milliseconds."""
        return min(quote.received_ms for quote in self.sources)

    @property
    def expires_at(self) -> float:
        """Return the monotonic moment at which the first of the prices becomes stale."""
        return min(quote.expires_at for quote in self.sources)


Result = Quote | MeshError
SourceOutcome = SourceQuote | MeshError
