"""The events of rounds on their way to whoever watches."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from services.oracle.ocr.state import Trace

_BUFFERED = 1024


@dataclass(frozen=True, slots=True)
class RoundEvent:
    """Hold one event of a round of a job."""

    job_name: str
    trace: Trace


class RoundEvents:
    """Pass events to all watchers; a slow one misses the oldest."""

    def __init__(self) -> None:
        self._watchers: dict[int, tuple[deque[RoundEvent], asyncio.Event]] = {}
        self._next = 0

    def publish(self, job_name: str, trace: Trace) -> None:
        """Pass one event on; never blocks."""
        for waiting, arrived in self._watchers.values():
            waiting.append(RoundEvent(job_name, trace))
            arrived.set()

    async def watch(self) -> AsyncGenerator[RoundEvent, None]:
        """Yield every event from now on."""
        number, self._next = self._next, self._next + 1
        waiting: deque[RoundEvent] = deque(maxlen=_BUFFERED)
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
