"""Tasks that a process needs for as long as it runs: one that dies is seen, counted, and started again."""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from meshkit.clock import Clock
from meshkit.log import get_logger
from meshkit.metrics import Metric, Registry

_log = get_logger(__name__)

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 60.0
# A task that lived this long was a good one: its next death is a first one.
STABLE_S = 60.0
DEATHS = "background_task_deaths_total"
TASK_METRICS = (
    Metric(DEATHS, "counter", "Deaths of tasks that were to run for ever, by a defect of ours.", ("task",)),
)


async def keep_running(
    name: str,
    work: Callable[[], Awaitable[None]],
    clock: Clock,
    *,
    on_death: Callable[[Exception], None] = lambda _error: None,
    passing: tuple[type[Exception], ...] = (),
) -> None:
    """
    Do work until it returns, starting it again whenever it raises, after a wait that doubles up to a minute.

    Args:
        name: What the log calls it.
        work: Begins anew with each call.
        clock: What waits.
        on_death: Called with each error, which has been logged with its traceback.
        passing: The errors that end it for good, and are raised.
    """
    deaths = 0
    while True:
        began_s = clock.monotonic()
        try:
            return await work()
        except passing:
            raise
        except Exception as error:
            lived_s = clock.monotonic() - began_s
            deaths = 1 if lived_s >= STABLE_S else deaths + 1
            wait_s = min(FIRST_WAIT_S * 2.0 ** min(deaths - 1, 16), LONGEST_WAIT_S)
            _log.exception("task_died", task=name, lived_s=round(lived_s, 1), again_in_s=wait_s)
            on_death(error)
        await clock.sleep(wait_s)


class BackgroundTasks:
    """Start such tasks, counted in `metrics` where it is given; closing cancels them and waits for their ends."""

    def __init__(self, clock: Clock, metrics: Registry | None = None) -> None:
        self._clock = clock
        self._deaths = None if metrics is None else metrics.counter(DEATHS)
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def start(self, name: str, work: Callable[[], Awaitable[None]], *, counted_as: str | None = None) -> None:
        """Start a task; its deaths are counted under its name, or under that of its kind where each has its own."""
        counter = None if self._deaths is None else self._deaths.labels(counted_as or name)

        def count(_error: Exception) -> None:
            if counter is not None:
                counter.inc()

        self._tasks = [task for task in self._tasks if not task.done()]
        self._tasks.append(asyncio.create_task(keep_running(name, work, self._clock, on_death=count), name=name))

    async def close(self) -> None:
        """Cancel all tasks and return when they have ended."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
