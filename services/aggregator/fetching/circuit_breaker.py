"""
Leave a source alone that fails again and again, and try now and then whether it is back.

    closed ──failures in a row──▶ open ──its time is over──▶ half open ──one success──▶ closed
                                    ▲                            │
                                    └──failure, twice as long────┘
"""

from enum import IntEnum

from meshkit.errors import MeshError

FAILURES_TO_OPEN = 5
FIRST_OPEN_S = 0.5


class CircuitState(IntEnum):
    """Say whether a source is being called; the numbers are those of its metric."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class CircuitBreaker:
    """Hold one source's circuit; moments are monotonic seconds. It is open for 0.5 s at first, at most `longest_s`."""

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._failures = 0
        self._open_s = 0.0
        self._cause: MeshError | None = None
        self._is_probing = False
        self.opened_until = float("-inf")

    def state(self, now: float) -> CircuitState:
        """Return the state at a moment."""
        if self._cause is None:
            return CircuitState.CLOSED
        return CircuitState.OPEN if now < self.opened_until else CircuitState.HALF_OPEN

    def refusal(self, now: float) -> MeshError | None:
        """Return None if the source may be called now, else the failure that opened the circuit."""
        if self._cause is None or (now >= self.opened_until and not self._is_probing):
            return None
        return self._cause

    def enter(self) -> None:
        """Note that a call begins: in a half-open circuit it is the only one until it has ended."""
        self._is_probing = self._cause is not None

    def leave(self) -> None:
        """Note that a call ended, whatever came of it."""
        self._is_probing = False

    def succeeded(self) -> None:
        """Close the circuit: the source answered."""
        self._failures, self._open_s, self._cause = 0, 0.0, None

    def failed(self, now: float, error: MeshError) -> None:
        """Count a failure of the source; open the circuit after five in a row, or again after a failed trial."""
        self._failures += 1
        if self._cause is not None and now < self.opened_until:
            return  # it began before the circuit was opened
        if self._cause is not None or self._failures >= FAILURES_TO_OPEN:
            self._open_s = min(max(FIRST_OPEN_S, 2 * self._open_s), self._longest_s)
            self._cause = error
            self.opened_until = now + self._open_s
