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
        bid: The best bid, if the answer has one.
        ask: The best ask, if the answer has one.
    """

    price: object
    exchange_time_ms: int | None = None
    bid: object = None
    ask: object = None


@dataclass(frozen=True, slots=True)
class SourceQuote:
    """
    Hold one source's accepted price.

    Attributes:
        pair: The pair as the source was asked for it.
        received_ms: When the answer arrived, Unix milliseconds.
        expires_at: The moment on the monotonic clock from which on it is stale; the wall clock may be set back.
    """

    source: str
    pair: Pair
    price: Decimal
    received_ms: int
    expires_at: float
    exchange_time_ms: int | None = None


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
    outliers: tuple[SourceQuote, ...] = ()
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
