"""
When a node may be asked for a login.

Chainlink takes 5 logins in 20 s from one address, wrong ones and a person's among them, and answers 429 to more.
"""

from collections import deque

MOST = 4
PERIOD_S = 20.0
_FIRST_REFUSAL_S = 5.0
_LONGEST_REFUSAL_S = 60.0


class LoginLimit:
    """Keep to `MOST` logins in `PERIOD_S`, to the node's own limit, and to longer and longer waits while it refuses."""

    def __init__(self) -> None:
        self._begun_s: deque[float] = deque(maxlen=MOST)
        self._not_before_s = 0.0
        self._refusals = 0

    def wait_s(self, now_s: float) -> float:
        """Return how long no login may be tried; 0 if one may be now."""
        full = len(self._begun_s) == MOST
        return max(self._not_before_s - now_s, self._begun_s[0] + PERIOD_S - now_s if full else 0.0, 0.0)

    def begin(self, now_s: float) -> None:
        """Note that a login is tried."""
        self._begun_s.append(now_s)

    def limited(self, now_s: float, asked_s: float = 0.0) -> None:
        """Note that the node takes no logins now; `asked_s` is how long it wants to be left alone, if it says so."""
        self._not_before_s = now_s + min(max(asked_s, PERIOD_S), _LONGEST_REFUSAL_S)

    def refused(self, now_s: float) -> None:
        """Note that the node does not take these credentials."""
        self._not_before_s = now_s + min(_FIRST_REFUSAL_S * 2.0**self._refusals, _LONGEST_REFUSAL_S)
        self._refusals = min(self._refusals + 1, 8)

    def taken(self) -> None:
        """Note that the node has logged us in."""
        self._refusals = 0
