"""Why pairs have no price: the failed fetches of late, each the answer until its pair may be fetched again."""

from dataclasses import dataclass

from cachetools import TLRUCache

from meshkit.clock import Clock
from meshkit.errors import MeshError
from services.aggregator.fetching.refetch_timing import LONGEST_RETRY_S, retry_delay_s
from services.aggregator.prices.pair import Pair

_MOST_FAILURES = 10_000
# After the pair was to be fetched again: only a failure that follows soon is one of the same row.
_FAILURE_MEMORY_S = 300.0


@dataclass(frozen=True, slots=True)
class Failure:
    """
    Hold why a pair has no price, and how many times in a row it had none.

    Attributes:
        retry_at: From when on it is fetched again for whoever asks, on the monotonic clock.
        next_at: When it is fetched again though nobody asks.
    """

    error: MeshError
    count: int
    retry_at: float
    next_at: float


class RecentFailures:
    """Hold the last failure of each pair of each source."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: dict[str, TLRUCache[Pair, Failure]] = {}

    def last(self, source: str, pair: Pair) -> Failure | None:
        """Return the last failure of a pair, None if it has had a price since or the failure is long ago."""
        failures = self._failures.get(source)
        return None if failures is None else failures.get(pair)

    def error(self, source: str, pair: Pair) -> MeshError | None:
        """Return the error to answer with if the pair is not to be fetched now."""
        failure = self.last(source, pair)
        return failure.error if failure is not None and failure.retry_at > self._clock.monotonic() else None

    def count(self, source: str, pair: Pair) -> int:
        """Return how many fetches of a pair have failed since it last had a price."""
        failure = self.last(source, pair)
        return 0 if failure is None else failure.count

    def add(
        self, source: str, pair: Pair, error: MeshError, failed_at: float, *, longest_s: float, not_before: float
    ) -> Failure:
        """
        Remember a failure at the monotonic moment `failed_at`, and return it.

        The pair is fetched again, though nobody asks, after `longest_s` seconds at most, but never before the monotonic
        moment `not_before`, up to which the source is not called at all.
        """
        count = self.count(source, pair) + 1
        retry_at = failed_at + retry_delay_s(error, count, min(longest_s, LONGEST_RETRY_S))
        next_at = failed_at + retry_delay_s(error, count, longest_s)
        failure = Failure(error, count, max(retry_at, not_before), max(next_at, not_before))
        failures = self._failures.get(source)
        if failures is None:
            failures = self._failures[source] = TLRUCache(_MOST_FAILURES, _forgotten_at, timer=self._clock.monotonic)
        failures[pair] = failure
        return failure

    def forget(self, source: str, pair: Pair) -> None:
        """Forget the failures of a pair that has a price."""
        failures = self._failures.get(source)
        if failures is not None:
            failures.pop(pair, None)


def _forgotten_at(_pair: Pair, failure: Failure, _now: float) -> float:
    return failure.next_at + _FAILURE_MEMORY_S
