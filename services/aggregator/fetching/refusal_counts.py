"""Why sources and their pairs had no price: each reason with how often, and when, where and in which words last."""

from dataclasses import dataclass

from cachetools import LRUCache

from meshkit.clock import Clock
from meshkit.errors import MeshError
from services.aggregator.prices.errors import PriceRefused
from services.aggregator.prices.pair import Pair

_Key = tuple[str, str]  # reason, rule


@dataclass(frozen=True, slots=True)
class Refusal:
    """
    Hold one reason.

    Attributes:
        reason: The error's reason.
        rule: Which rule a price broke that was there; empty for other reasons.
        count: How often it was since the start.
        last_ms: When it was last, Unix milliseconds.
        pair: Which pair it was last.
        message: The last error's text.
    """

    reason: str
    rule: str
    count: int
    last_ms: int
    pair: Pair
    message: str


class Refusals:
    """Note refusals by source, and by pair for the pairs that were refused last."""

    def __init__(self, clock: Clock, most_pairs: int) -> None:
        self._clock = clock
        self._of_source: dict[str, dict[_Key, Refusal]] = {}
        self._of_pair: LRUCache[tuple[str, Pair], dict[_Key, Refusal]] = LRUCache(most_pairs)

    def note(self, source: str, pair: Pair, error: MeshError) -> None:
        """Note why a source has no price of a pair."""
        key = error.reason, error.rule if isinstance(error, PriceRefused) else ""
        now_ms, message = self._clock.time_ms(), str(error)
        known = self._of_pair.get((source, pair))
        if known is None:
            known = self._of_pair[source, pair] = {}
        for refusals in (self._of_source.setdefault(source, {}), known):
            count = refusals[key].count if key in refusals else 0
            refusals[key] = Refusal(*key, count + 1, now_ms, pair, message)

    def forget(self, source: str, pair: Pair) -> None:
        """Forget why a source has no price of a pair, which is asked for no more; what is the source's stays."""
        self._of_pair.pop((source, pair), None)

    def of_source(self, source: str) -> list[Refusal]:
        """Return a source's refusals, the latest first."""
        return _latest_first(self._of_source.get(source, {}))

    def of_pair(self, source: str, pair: Pair) -> list[Refusal]:
        """Return the refusals of a source's pair, the latest first."""
        return _latest_first(self._of_pair.get((source, pair), {}))


def _latest_first(refusals: dict[_Key, Refusal]) -> list[Refusal]:
    return sorted(refusals.values(), key=lambda refusal: (-refusal.last_ms, refusal.reason, refusal.rule))
