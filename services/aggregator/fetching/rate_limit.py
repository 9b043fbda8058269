"""
How often a source may be called: a token bucket in exact arithmetic.

The bucket is kept as the moment at which it will be full again (the generic cell rate algorithm), so it needs no timer
and a call knows at once when its turn is.
"""

from fractions import Fraction


class TokenBucket:
    """
    Allow `rate` calls a second, any fraction of one too.

    At most a tenth of a second's calls may follow each other at once: providers count in windows of a second, and a
    full second's burst at the end of one window would be two in the next.
    """

    def __init__(self, rate: Fraction) -> None:
        self._interval = 1 / rate
        self._burst = max(1, int(rate / 10))
        self._full_at: Fraction | None = None

    def wait_s(self, now: float, borrow: int = 0) -> float:
        """Return how long the next call has to wait, with so many calls borrowed from the future."""
        if self._full_at is None:
            return 0.0
        turn_at = self._full_at - (self._burst + borrow - 1) * self._interval
        return max(0.0, float(turn_at - Fraction(now)))

    def take(self, now: float) -> None:
        """Count one call, whose wait is over or being waited for."""
        moment = Fraction(now)
        self._full_at = (moment if self._full_at is None else max(self._full_at, moment)) + self._interval
