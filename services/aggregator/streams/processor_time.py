"""How much of the processor's time a source's messages may take, so that a flood of one leaves turns to all others."""

SHARE = 0.4
BURST_S = 0.25


class ProcessorTime:
    """Count the seconds spent on one source's messages; moments are monotonic seconds."""

    def __init__(self, share: float = SHARE, burst_s: float = BURST_S) -> None:
        self._share = share
        self._burst_s = burst_s
        self._left_s = burst_s
        self._counted_at = float("-inf")

    def spend(self, seconds: float, now: float) -> float:
        """Count time just spent, and return for how long the source's next message has to wait, 0 if not at all."""
        refilled_s = self._left_s + self._share * max(now - self._counted_at, 0.0)
        self._left_s = min(refilled_s, self._burst_s) - seconds
        self._counted_at = now
        return max(-self._left_s / self._share, 0.0)
