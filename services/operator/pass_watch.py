"""See a pass that never ends: whatever it waits for, the process does its work no more and wants to be restarted."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import structlog

from meshkit import log
from meshkit.clock import Clock

LOOK_S = 5.0
# Reading everything while endpoints and nodes answer at the last moment.
_READING_S = 300.0
_READING_A_FEED_S = 5.0
# A batch is deployed, then configured.
_WAITS_A_BATCH = 2


def longest_pass_s(feeds: int, batch: int, deadline_s: float) -> float:
    """
    Return what no pass takes that ends at all.

    Everything that a pass does has a deadline: this is all of them, one after the other, for that many feeds in
    batches of `batch`, whose transactions are waited for `deadline_s` each time.
    """
    batches = -(-feeds // batch)
    return _READING_S + feeds * _READING_A_FEED_S + batches * _WAITS_A_BATCH * deadline_s


class PassWatch:
    """Know which parts are in a pass, and since when."""

    def __init__(self, clock: Clock, bound_s: float) -> None:
        self._clock = clock
        self._bound_s = bound_s
        self._began_s: dict[str, float] = {}
        self._log: structlog.stdlib.BoundLogger = log.get_logger("services.operator.pass_watch")

    @contextmanager
    def watching(self, part: str) -> Iterator[None]:
        """Count the body as a pass of a part."""
        self._began_s[part] = self._clock.monotonic()
        try:
            yield
        finally:
            del self._began_s[part]

    def overdue(self) -> tuple[str, ...]:
        """Return the parts whose pass takes longer than the bound."""
        latest_s = self._clock.monotonic() - self._bound_s
        return tuple(part for part, began_s in self._began_s.items() if began_s < latest_s)

    async def run(self, report: Callable[[bool], Awaitable[None]]) -> None:
        """Look until cancelled, and report each change between all being well (True) and a pass being overdue."""
        well = True
        while True:
            overdue = self.overdue()
            if bool(overdue) is well:
                well = not overdue
                if well:
                    self._log.info("passes_end_again")
                else:
                    self._log.error("pass_never_ends", parts=overdue, bound_s=self._bound_s)
                await report(well)
            await self._clock.sleep(LOOK_S)
