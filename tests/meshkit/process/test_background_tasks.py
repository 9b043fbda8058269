"""Tasks that die are started again, later each time, counted and logged; they end when they are to."""

import asyncio
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from meshkit.clock import ManualClock
from meshkit.metrics import Registry
from meshkit.process.background_tasks import (
    FIRST_WAIT_S,
    LONGEST_WAIT_S,
    STABLE_S,
    TASK_METRICS,
    BackgroundTasks,
    keep_running,
)


class Work:
    """Work that notes when it begins, and fails as often as it is told to."""

    def __init__(self, clock: ManualClock, failures: int, lives_s: float = 0) -> None:
        self.began_s: list[float] = []
        self._clock = clock
        self._failures = failures
        self._lives_s = lives_s

    async def __call__(self) -> None:
        """Live and die, or return."""
        self.began_s.append(self._clock.monotonic())
        await self._clock.sleep(self._lives_s)
        if len(self.began_s) <= self._failures:
            raise KeyError("ours")


async def _run(clock: ManualClock, until: Callable[[], bool], step_s: float = 0.25) -> None:
    for _ in range(4_000):
        if until():
            return
        for _ in range(6):
            await asyncio.sleep(0)
        clock.advance(step_s)
    raise AssertionError("it never came")


async def test_waits_double_up_to_a_minute() -> None:
    """What dies again and again is started again for ever, at most every minute."""
    clock = ManualClock()
    work = Work(clock, failures=11)
    with capture_logs() as logs:
        task = asyncio.create_task(keep_running("work", work, clock))
        await _run(clock, task.done)
    waits = [later - earlier for earlier, later in zip(work.began_s, work.began_s[1:], strict=False)]

    assert [min(FIRST_WAIT_S * 2**count, LONGEST_WAIT_S) for count in range(11)] == pytest.approx(waits, abs=0.3)
    died = [line for line in logs if line["event"] == "task_died"]
    assert (11, "work") == (len(died), died[0]["task"])
    assert died[0]["exc_info"]


async def test_who_lived_long_is_started_again_soon() -> None:
    """A death after a minute of life is a first one."""
    clock = ManualClock()
    work = Work(clock, failures=8, lives_s=STABLE_S)
    task = asyncio.create_task(keep_running("work", work, clock))
    await _run(clock, task.done)
    waits = [later - earlier - STABLE_S for earlier, later in zip(work.began_s, work.began_s[1:], strict=False)]

    assert [FIRST_WAIT_S] * 8 == pytest.approx(waits, abs=0.6)


async def test_some_errors_end_it() -> None:
    """An error that is to end the process is raised, not repeated."""

    async def fail() -> None:
        raise PermissionError("not paid")

    with pytest.raises(PermissionError):
        await keep_running("work", fail, ManualClock(), passing=(PermissionError,))


async def test_deaths_are_counted_by_task_and_closing_ends_all() -> None:
    """Each death counts under the task's name; after `close` nothing is started any more."""
    clock, metrics = ManualClock(), Registry(TASK_METRICS)
    dying, calm = Work(clock, failures=10**6), Work(clock, failures=0, lives_s=10**6)
    async with BackgroundTasks(clock, metrics) as tasks:
        tasks.start("dying", dying)
        tasks.start("calm", calm)
        await _run(clock, lambda: len(dying.began_s) == 4, step_s=0.1)
        page = metrics.render().decode()
    begun = len(dying.began_s)
    clock.advance(1000)
    await asyncio.sleep(0)

    assert 'background_task_deaths_total{task="dying"} 4.0' in page
    assert 'background_task_deaths_total{task="calm"} 0.0' in page
    assert (begun, 1) == (len(dying.began_s), len(calm.began_s))
