"""The limits on requests of one client address."""

from collections import deque

from meshkit.clock import Clock

_MOST_CLIENTS = 1024


class RequestLimit:
    """Allow so many requests in any period of that length, for each client."""

    def __init__(self, requests: int, period_s: float, clock: Clock) -> None:
        self._requests = requests
        self._period_s = period_s
        self._clock = clock
        self._times: dict[str, deque[float]] = {}

    def allow(self, client: str) -> bool:
        """Count a request; tell whether it is within the limit."""
        now_s = self._clock.monotonic()
        if client not in self._times and len(self._times) >= _MOST_CLIENTS:
            self._times.pop(next(iter(self._times)))
        times = self._times.setdefault(client, deque())
        while times and now_s - times[0] >= self._period_s:
            times.popleft()
        if len(times) >= self._requests:
            return False
        times.append(now_s)
        return True
