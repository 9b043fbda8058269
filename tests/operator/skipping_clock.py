"""A clock that nobody waits for."""

import asyncio

from meshkit.clock import ManualClock


class SkippingClock(ManualClock):
    """A clock on which every sleep is over at once, and remembered."""

    def __init__(self) -> None:
        super().__init__()
        self.slept_s: list[float] = []

    async def sleep(self, seconds: float) -> None:
        """Move the clock on."""
        self.slept_s.append(seconds)
        self.advance(seconds)
        await asyncio.sleep(0)
