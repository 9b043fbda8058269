"""The pairs that are kept fresh: those of the configured feeds, and those somebody asked for lately."""

import heapq
from collections.abc import Callable, Collection
from dataclasses import dataclass

from meshkit.clock import Clock
from services.aggregator.cache.request_counts import RequestCounts
from services.aggregator.prices.errors import TooManyPairs
from services.aggregator.prices.pair import Pair

NEVER = float("-inf")


@dataclass(slots=True)
class Registration:
    """
    Hold one pair of one source.

    Attributes:
        pinned: True for a pair of a configured feed, which is never removed.
        last_request_ms: When somebody last asked for it, Unix milliseconds; 0 if nobody did.
        last_request_at: The same on the monotonic clock, for a pinned pair the time of its registration at first.
        last_fetch_at: When a fetch of it last began, on the monotonic clock.
        stream_is_refused: Whether the last price of its stream was refused.
    """

    source: str
    pair: Pair
    pinned: bool
    registered_ms: int
    last_request_at: float
    last_request_ms: int = 0
    last_fetch_at: float = NEVER
    stream_is_refused: bool = False


class PairRegistry:
    """
    Hold at most `capacity` pairs; a full registry refuses new ones instead of forgetting ones in use.

    Args:
        requests: The requests that were answered with kept quotes, without asking here.
    """

    def __init__(self, clock: Clock, capacity: int, full_wait_ms: int, requests: RequestCounts) -> None:
        self._clock = clock
        self._capacity = capacity
        self._full_wait_ms = full_wait_ms
        self._requests = requests
        self._on_change: Callable[[str], None] = lambda _source: None
        self._count = 0
        self._pairs: dict[str, dict[Pair, Registration]] = {}

    def __len__(self) -> int:
        return self._count

    def on_change(self, on_change: Callable[[str], None]) -> None:
        """Have the source named there whenever other pairs of it are registered than before."""
        self._on_change = on_change

    def pin(self, source: str, pair: Pair) -> Registration:
        """Register a pair for ever; pins do not count as requests and may exceed the capacity."""
        registration = self.get(source, pair) or self._add(source, pair)
        registration.pinned = True
        return registration

    def touch(self, source: str, pair: Pair) -> Registration:
        """Register a pair or renew its last request; raise TooManyPairs for a new pair in a full registry."""
        registration = self.get(source, pair)
        if registration is None:
            if self._count >= self._capacity:
                raise TooManyPairs(self._capacity, self._full_wait_ms)
            registration = self._add(source, pair)
        registration.last_request_at = self._clock.monotonic()
        registration.last_request_ms = self._clock.time_ms()
        return registration

    def mark_fetched(self, source: str, pair: Pair) -> None:
        """Note that a fetch of a pair begins now, if it is registered."""
        registration = self.get(source, pair)
        if registration is not None:
            registration.last_fetch_at = self._clock.monotonic()

    def get(self, source: str, pair: Pair) -> Registration | None:
        """Return the registration, if there is one; its last request is up to date in what `of_source` returns."""
        return self._pairs.get(source, {}).get(pair)

    def remove(self, source: str, pair: Pair) -> None:
        """Forget a pair, if it is registered."""
        if self._pairs.get(source, {}).pop(pair, None) is not None:
            self._count -= 1
            self._on_change(source)

    def of_source(self, source: str) -> list[Registration]:
        """Return the registrations of a source by base and quote."""
        self._note_requests()
        return [entry for _, entry in sorted(self._pairs.get(source, {}).items())]

    def count_of(self, source: str) -> int:
        """Return how many pairs of a source are registered."""
        return len(self._pairs.get(source, ()))

    def pairs(self, source: str) -> list[Pair]:
        """Return the registered pairs of a source by base and quote."""
        return sorted(self._pairs.get(source, {}))

    def fetched_longest_ago(
        self, source: str, room: int, exclude: Collection[Pair], eligible: Callable[[Registration], bool]
    ) -> list[Pair]:
        """Return up to `room` eligible pairs of a source, the one fetched longest ago first."""
        candidates = (
            entry for entry in self._pairs.get(source, {}).values() if entry.pair not in exclude and eligible(entry)
        )
        return [entry.pair for entry in heapq.nsmallest(room, candidates, key=lambda entry: entry.last_fetch_at)]

    def inactive(self, idle_s: float) -> list[Registration]:
        """Return the pairs that nobody asked for during the given time, pinned ones never."""
        self._note_requests()
        bound = self._clock.monotonic() - idle_s
        return [
            entry
            for pairs in self._pairs.values()
            for entry in pairs.values()
            if not entry.pinned and entry.last_request_at <= bound
        ]

    def _add(self, source: str, pair: Pair) -> Registration:
        entry = Registration(source, pair, False, self._clock.time_ms(), self._clock.monotonic())
        self._pairs.setdefault(source, {})[pair] = entry
        self._count += 1
        self._on_change(source)
        return entry

    def _note_requests(self) -> None:
        now, now_ms = self._clock.monotonic(), self._clock.time_ms()
        for (source, pair), requested_at in self._requests.take_requested().items():
            entry = self.get(source, pair)
            if entry is not None and requested_at >= entry.last_request_at:
                entry.last_request_at = requested_at
                entry.last_request_ms = now_ms - round((now - requested_at) * 1000)
