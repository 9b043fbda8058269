"""How fast messages may be sent: a least gap, and so many in an hour."""

import math

HOUR_S = 3_600.0


class Pace:
    """Count sent messages; the allowance of an hour may be used at once and then comes back bit by bit."""

    def __init__(self, gap_s: float, per_hour: int | None = None) -> None:
        self._gap_s = gap_s
        self._per_hour = per_hour
        self._allowance = float(per_hour or 0)
        self._spent_at = -math.inf

    def wait_s(self, now: float) -> float:
        """Return how long from the monotonic moment `now` the next message has to wait, 0 if not at all."""
        wait_s = max(self._spent_at + self._gap_s - now, 0.0)
        missing = 1.0 - self._refilled(now)
        if self._per_hour is not None and missing > 0:
            wait_s = max(wait_s, missing * HOUR_S / self._per_hour)
        return wait_s

    def spend(self, now: float) -> None:
        """Count a message sent now."""
        self._allowance = self._refilled(now) - 1.0
        self._spent_at = now

    def _refilled(self, now: float) -> float:
        if self._per_hour is None or self._spent_at == -math.inf:
            return self._allowance
        return min(float(self._per_hour), self._allowance + (now - self._spent_at) * self._per_hour / HOUR_S)
