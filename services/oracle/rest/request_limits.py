"""How many requests are taken of whom."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from meshkit.clock import Clock
from services.oracle.rest.jsonapi import Refused
from services.oracle.rest.peers import Peer

_MOST_KEYS = 1024
# Each password that is checked takes 16 MB and a twentieth of a second of a processor.
_MOST_CHECKED_AT_ONCE = 2
_MOST_WAITING = 16


class RequestLimit:
    """Allow so many requests in any period of that length, for each key."""

    def __init__(self, requests: int, period_s: float, clock: Clock) -> None:
        self._requests = requests
        self._period_s = period_s
        self._clock = clock
        self._times: dict[str, deque[float]] = {}

    def allow(self, key: str) -> bool:
        """Count a request; tell whether it is within the limit."""
        if not self.has_room(key):
            return False
        if key not in self._times and len(self._times) >= _MOST_KEYS:
            self._times.pop(next(iter(self._times)))
        self._times.setdefault(key, deque()).append(self._clock.monotonic())
        return True

    def has_room(self, key: str) -> bool:
        """Tell whether a request would be within the limit."""
        times = self._times.get(key, deque())
        while times and self._clock.monotonic() - times[0] >= self._period_s:
            times.popleft()
        return len(times) < self._requests

    def give_back(self, key: str) -> None:
        """Count the last request that was allowed no longer."""
        if self._times.get(key):
            self._times[key].pop()


class LoginLimit:
    """
    Limit the wrong passwords of each peer.

    A peer that was wrong too often is refused unseen, so that it can neither guess on nor keep others out. Only a
    process of the node's own user, or of root, is let try on, one at a time: it could read the password where it is
    kept, and is more likely the operator beside something that guesses.
    """

    def __init__(self, failures: int, period_s: float, clock: Clock) -> None:
        self._failures = RequestLimit(failures, period_s, clock)
        self._checked = asyncio.Semaphore(_MOST_CHECKED_AT_ONCE)
        self._own_turn = asyncio.Lock()
        self._waiting = 0

    def may_try(self, peer: Peer) -> bool:
        """Tell whether a peer may try at all now."""
        return peer.is_ours or self._failures.has_room(peer.key)

    @asynccontextmanager
    async def attempt(self, peer: Peer) -> AsyncIterator["Attempt"]:
        """Give one attempt, wrong unless it is said to be right; Refused with 429 if the peer has none left."""
        is_over = not self._failures.allow(peer.key)
        if (is_over and not peer.is_ours) or self._waiting >= _MOST_WAITING:
            raise Refused(429, "Limit exceeded")
        attempt = Attempt(is_over)
        self._waiting += 1
        try:
            if is_over:
                await self._own_turn.acquire()
            try:
                async with self._checked:
                    yield attempt
            finally:
                if is_over:
                    self._own_turn.release()
        finally:
            self._waiting -= 1
            if attempt.was_right and not is_over:
                self._failures.give_back(peer.key)


class Attempt:
    """Hold one attempt to log in."""

    def __init__(self, is_over: bool) -> None:
        self._is_over = is_over
        self.was_right = False

    def refusal(self) -> Refused:
        """Return the answer to a wrong password, and to an unknown user: nobody is told who exists."""
        return Refused(429, "Limit exceeded") if self._is_over else Refused(401, "Invalid password")
