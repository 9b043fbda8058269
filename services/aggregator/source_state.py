"""What operators may see of the registered pairs and of the sources."""

from dataclasses import dataclass
from fractions import Fraction

from services.aggregator.fetching.circuit_breaker import CircuitState
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import SourceQuote


@dataclass(frozen=True, slots=True)
class PairState:
    """
    Hold a registered pair.

    Attributes:
        last_request_ms: When somebody last asked for it, 0 if nobody did; all times are Unix milliseconds.
        quote: Its price; None if none is fresh.
        last_fetch_ms: When a fetch of it last began; 0 if none did.
    """

    source: str
    pair: Pair
    last_request_ms: int
    quote: SourceQuote | None
    registered_ms: int = 0
    last_fetch_ms: int = 0


@dataclass(frozen=True, slots=True)
class SourceState:
    """
    Hold a source's state; one that is switched off, or that this version does not have, is not enabled.

    Attributes:
        circuit: Whether it is being called; None if it is not enabled.
        rps: How many calls a second are allowed; None for no bound.
        calls_running: How many fetches are under way, of at most `max_concurrent`.
        calls_waiting: How many fetches wait for a place.
        silent_until_ms: Until when it asked not to be called; None if it may be called now.
        stream_connected: Whether its stream's connections are up; None if it has no stream.
        last_stream_ms: When its stream last brought a message; None before the first.
    """

    name: str
    enabled: bool = False
    available: bool = False
    registered_pairs: int = 0
    fresh_pairs: int = 0
    last_success_ms: int | None = None
    last_error: str = ""
    circuit: CircuitState | None = None
    rps: Fraction | None = None
    max_concurrent: int = 0
    calls_running: int = 0
    calls_waiting: int = 0
    silent_until_ms: int | None = None
    stream_connected: bool | None = None
    last_stream_ms: int | None = None
