"""An event loop on simulated time: what is due in a minute happens at once, and in its order."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class SimulatedTimeLoop(asyncio.SelectorEventLoop):
    """A loop whose clock stands still while there is something to do, and then jumps to what is due next."""

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        """Return the simulated moment."""
        return self.now


class _JumpingSelector(selectors.SelectSelector):
    """Let time pass instead of waiting; where nothing is scheduled, wait for files as ever."""

    def __init__(self, loop: SimulatedTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready; move the clock on by the time-out if nothing is."""
        ready = super().select(None if timeout is None else 0)
        if not ready and timeout is not None:
            self._loop.now += timeout
        return ready


def run(work: Coroutine[Any, Any, T]) -> T:
    """Return what the work returns, done in simulated time."""
    with asyncio.Runner(loop_factory=SimulatedTimeLoop) as runner:
        return runner.run(work)
