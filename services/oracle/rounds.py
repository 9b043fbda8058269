"""The moments of rounds on their way to whoever watches."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from services.oracle.ocr.state import Trace

_BUFFERED = 1024


@dataclass(frozen=True, slots=True)
class RoundMoment:
    """Hold one moment of a round of a job."""

    job_name: str
    trace: Trace


class Rounds:
    """Pass moments to all watchers; a slow one misses the oldest."""

    def __init__(self) -> None:
        self._watchers: dict[int, tuple[deque[RoundMoment], asyncio.Event]] = {}
        self._next = 0

    def publish(self, job_name: str, trace: Trace) -> None:
        """Pass one moment on; never blocks."""
        for waiting, arrived in self._watchers.values():
            waiting.append(RoundMoment(job_name, trace))
            arrived.set()

    async def watch(self) -> AsyncGenerator[RoundMoment, None]:
        """Yield every moment from now on."""
        number, self._next = self._next, self._next + 1
        waiting: deque[RoundMoment] = deque(maxlen=_BUFFERED)
        arrived = asyncio.Event()
        self._watchers[number] = (waiting, arrived)
        try:
            while True:
                while waiting:
                    yield waiting.popleft()
                arrived.clear()
                await arrived.wait()
        finally:
            del self._watchers[number]
