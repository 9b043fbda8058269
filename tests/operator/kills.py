"""A process that is killed at one of its calls to the outside world: from then on it makes none."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
import pytest


class Killed(BaseException):
    """The process is dead."""


class Calls:
    """
    Count HTTP calls, and kill at one.

    Attributes:
        made: How many were made.
        is_dead: Whether the process was killed.
    """

    def __init__(self, kill_at: int, *, answered: bool) -> None:
        self.made = 0
        self.is_dead = False
        self._kill_at = kill_at
        self._answered = answered

    def wrap(self, request: Callable[..., Any]) -> Callable[..., Any]:
        """Return a session's request that counts; whoever is to be killed dies before it, or when it is answered."""

        async def counted(session: aiohttp.ClientSession, *args: Any, **options: Any) -> Any:
            if self.is_dead:
                raise Killed
            self.made += 1
            if self.made != self._kill_at:
                return await request(session, *args, **options)
            if self._answered:
                (await request(session, *args, **options)).close()
            self.is_dead = True
            raise Killed

        return counted


@contextmanager
def killed(kill_at: int, *, answered: bool) -> Iterator[Calls]:
    """Kill at that call, from 1, of those that are made in the block; it ends without an error."""
    calls = Calls(kill_at, answered=answered)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aiohttp.ClientSession, "_request", calls.wrap(aiohttp.ClientSession._request))
        try:
            yield calls
        except* Killed:
            assert calls.is_dead
