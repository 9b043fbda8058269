"""Time as a value that is passed in, so that decisions can be tested at any moment."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Tell the time and wait."""

    def time_ms(self) -> int:
        """Return the wall-clock time in milliseconds since the Unix epoch."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go backwards, from an arbitrary start."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after the given seconds have passed on this clock."""
        ...


class SystemClock:
    """The clock of the machine."""

    def time_ms(self) -> int:
        """Return the wall-clock time in milliseconds since the Unix epoch."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Return seconds that never go backwards, from an arbitrary start."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Return after the given seconds have passed."""
        await asyncio.sleep(seconds)


class ManualClock:
    """A clock that moves only when told to; both of its times move together."""

    def __init__(self, start_ms: int = 0) -> None:
        self._start_ms = start_ms
        self._elapsed_s = 0.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def time_ms(self) -> int:
        """Return the start time plus what `advance` has added, in milliseconds."""
        return self._start_ms + round(self._elapsed_s * 1000)

    def monotonic(self) -> float:
        """Return the seconds that `advance` has added."""
        return self._elapsed_s

    async def sleep(self, seconds: float) -> None:
        """Return once `advance` has moved the clock by the given seconds."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._elapsed_s + seconds, sleeper))
        await sleeper

    def advance(self, seconds: float) -> None:
        """Move the clock and wake every sleeper whose time has come, earliest first."""
        self._elapsed_s += seconds
        due = [entry for entry in self._sleepers if entry[0] <= self._elapsed_s]
        self._sleepers = [entry for entry in self._sleepers if entry[0] > self._elapsed_s]
        for _, sleeper in sorted(due, key=lambda entry: entry[0]):
            if not sleeper.done():
                sleeper.set_result(None)
