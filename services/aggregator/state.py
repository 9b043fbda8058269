"""What operators may see of the registered pairs and of the sources."""

from dataclasses import dataclass

from services.aggregator.pair import Pair
from services.aggregator.quote import SourceQuote


@dataclass(frozen=True, slots=True)
class PairState:
    """Hold a registered pair: `last_request_ms` is 0 if nobody asked for it yet, `quote` is None if none is fresh."""

    source: str
    pair: Pair
    last_request_ms: int
    quote: SourceQuote | None


@dataclass(frozen=True, slots=True)
class SourceState:
    """Hold a source's state; one that is switched off, or that this version does not have, is not enabled."""

    name: str
    enabled: bool = False
    available: bool = False
    registered_pairs: int = 0
    fresh_pairs: int = 0
    last_success_ms: int | None = None
    last_error: str = ""
