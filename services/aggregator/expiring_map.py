"""Values that are gone at a moment of their own, in a map of bounded size."""

from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

from meshkit.clock import Clock

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class ExpiringMap(Generic[K, V]):
    """
    Hold at most `capacity` values, each until a monotonic moment.

    When it is full, those that have expired go first, then the one that was put or looked at longest ago; looks count
    from when it was full on.
    """

    def __init__(self, clock: Clock, capacity: int) -> None:
        self._clock = clock
        self._capacity = capacity
        self._values: dict[K, tuple[V, float]] = {}

    def __len__(self) -> int:
        """Return how many there are, with those that have expired and were not looked for since."""
        return len(self._values)

    def put(self, key: K, value: V, until: float) -> None:
        """Put a value in place of the key's earlier one."""
        # What is put last stands last, so that the first one is the one used longest ago.
        self._values.pop(key, None)
        self._values[key] = value, until
        if len(self._values) > self._capacity:
            self._expire()
            while len(self._values) > self._capacity:
                del self._values[next(iter(self._values))]

    def get(self, key: K) -> V | None:
        """Return a value that has not expired; None if there is none."""
        found = self._values.get(key)
        if found is None or found[1] <= self._clock.monotonic():
            return None
        if len(self._values) >= self._capacity:
            self._values[key] = self._values.pop(key)
        return found[0]

    def pop(self, key: K) -> None:
        """Forget a value, if it is there."""
        self._values.pop(key, None)

    def values(self) -> Iterator[V]:
        """Return the values that have not expired."""
        self._expire()
        return iter([value for value, _ in self._values.values()])

    def _expire(self) -> None:
        now = self._clock.monotonic()
        for key in [key for key, (_, until) in self._values.items() if until <= now]:
            del self._values[key]
