"""Who looks at the page now: as long as nobody does, nothing is asked for the page's sake."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

import grpc.aio

from meshkit.clock import Clock
from services.metrics.page.content.tables import Choice

MOST_VIEWERS: Final = 16
# Whoever has no script loads the page again within this time.
LEASE_S: Final = 20.0
_LOOK_S: Final = 1.0
_AGAIN_S: Final = 0.5

Follow = Callable[[], Awaitable[None]]


class Audience:
    """Count viewers and run what follows the mesh for them, from the first one's coming to the last one's leaving."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._viewers: dict[object, Choice] = {}
        self._leased: Choice | None = None
        self._leased_until_s = 0.0
        self._somebody = asyncio.Event()

    @property
    def is_full(self) -> bool:
        """Tell whether there is no room for another viewer."""
        return len(self._viewers) >= MOST_VIEWERS

    @property
    def choices(self) -> list[Choice]:
        """Return what the viewers look at."""
        leased = [self._leased] if self._leased is not None and self._is_leased() else []
        return list(dict.fromkeys([*self._viewers.values(), *leased]))

    @property
    def is_there(self) -> bool:
        """Tell whether somebody looks."""
        return bool(self._viewers) or self._is_leased()

    @contextmanager
    def joined(self, choice: Choice) -> Iterator[None]:
        """Count a viewer that is told each change."""
        viewer = object()
        self._viewers[viewer] = choice
        self._somebody.set()
        try:
            yield
        finally:
            del self._viewers[viewer]

    def glanced(self, choice: Choice) -> None:
        """Count one who loaded the page, for a while."""
        self._leased, self._leased_until_s = choice, self._clock.monotonic() + LEASE_S
        self._somebody.set()

    async def run(self, follows: Sequence[Follow]) -> None:
        """Follow while somebody looks, for ever; each of `follows` is begun again when its server is gone."""
        while True:
            if not self.is_there:
                self._somebody.clear()
                await self._somebody.wait()
            tasks = [asyncio.create_task(self._again(follow)) for follow in follows]
            try:
                while self.is_there and not any(task.done() for task in tasks):
                    await self._clock.sleep(_LOOK_S)
            finally:
                for task in tasks:
                    task.cancel()
                ended = await asyncio.gather(*tasks, return_exceptions=True)
            for error in ended:
                if isinstance(error, Exception):
                    raise error

    def _is_leased(self) -> bool:
        return self._clock.monotonic() < self._leased_until_s

    async def _again(self, follow: Follow) -> None:
        while True:
            # A silence is told by whoever asks every few seconds.
            with suppress(grpc.aio.AioRpcError):
                await follow()
            await self._clock.sleep(_AGAIN_S)
