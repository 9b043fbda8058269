"""Ask a service again and again, and tell when it becomes ready and when it is no longer."""

import asyncio
from collections.abc import Callable
from typing import Final

from meshkit.clock import Clock
from services.supervisor.plan.probe_spec import AnyProbe, Schedule
from services.supervisor.process.probes import Check, NotReady, opened

SLOW_START: Final = 20
"""With the schedule of the services that is some three seconds."""


async def watch(
    probe: AnyProbe,
    schedule: Schedule,
    clock: Clock,
    report: Callable[[bool, str], None],
    explain: Callable[[str], None] = lambda _: None,
) -> None:
    """Ask for ever; `watch_check` says what is told to whom."""
    async with opened(probe) as check:
        await watch_check(check, schedule, clock, report, explain)


async def watch_check(
    check: Check,
    schedule: Schedule,
    clock: Clock,
    report: Callable[[bool, str], None],
    explain: Callable[[str], None] = lambda _: None,
) -> None:
    """
    Ask for ever; report each change between ready and not ready.

    Failures before the first success count for nothing, however long a service takes to start; but after `SLOW_START`
    of them in a row `explain` is told what is wrong, and again whenever it is something else.
    """
    ready = ever_ready = False
    failures_in_a_row = failures = 0
    told = ""
    period_s = schedule.first_period_s
    while True:
        problem = await _look(check, schedule.timeout_s)
        failures_in_a_row = 0 if problem is None else failures_in_a_row + 1
        if problem is None and not ready:
            ready = ever_ready = True
            report(True, "")
        elif problem is not None and ready and failures_in_a_row >= schedule.failure_threshold:
            ready = False
            report(False, problem)
        if not ever_ready and problem is not None:
            failures += 1
            if failures >= SLOW_START and problem != told:
                told = problem
                explain(problem)
        await clock.sleep(schedule.period_s if ever_ready else period_s)
        period_s = min(period_s * 1.5, schedule.starting_period_s)


async def _look(check: Check, timeout_s: float) -> str | None:
    """Return None if ready, else the problem in words."""
    try:
        async with asyncio.timeout(timeout_s):
            await check()
    except TimeoutError:
        return f"no answer within {timeout_s:g} s"
    except (NotReady, OSError, ValueError) as error:
        return str(error)
    return None
