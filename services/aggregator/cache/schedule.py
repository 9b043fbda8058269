"""What is due when: one heap instead of a timer for each key."""

import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Schedule(Generic[K]):
    """
    Hold one moment a key.

    Setting a key again leaves its old entry in the heap, where it is skipped; the heap is rebuilt when most of it is
    such leftovers.
    """

    def __init__(self) -> None:
        self._due: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        # Equal moments keep the order they were set in, and keys need no order of their own.
        self._count = 0

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, key: K) -> bool:
        return key in self._due

    def set(self, key: K, due_at: float) -> None:
        """Make a key due at a moment, in place of its earlier one."""
        self._due[key] = due_at
        self._push(key, due_at)
        if len(self._heap) > 64 and len(self._heap) > 2 * len(self._due):
            self._heap.clear()
            for other, moment in self._due.items():
                self._push(other, moment)

    def drop(self, key: K) -> None:
        """Make a key never due."""
        self._due.pop(key, None)

    def next_at(self) -> float | None:
        """Return the earliest moment, or None if nothing is scheduled."""
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: float) -> list[K]:
        """Remove and return the keys due at or before a moment, earliest first."""
        keys = []
        while (due_at := self.next_at()) is not None and due_at <= now:
            key = heapq.heappop(self._heap)[2]
            del self._due[key]
            keys.append(key)
        return keys

    def _push(self, key: K, due_at: float) -> None:
        self._count += 1
        heapq.heappush(self._heap, (due_at, self._count, key))
