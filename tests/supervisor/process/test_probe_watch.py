"""Asking again and again."""

import asyncio

import pytest

from meshkit.clock import ManualClock
from services.supervisor.plan.probe_spec import Schedule
from services.supervisor.process.probe_watch import watch_check
from services.supervisor.process.probes import NotReady


class Scripted:
    """A probe that answers by a script: True, False, or None for never."""

    def __init__(self, *answers: bool | None) -> None:
        self.answers = list(answers)
        self.looks = 0

    async def check(self) -> None:
        """Give the next answer."""
        self.looks += 1
        if not self.answers:
            await asyncio.Event().wait()
        answer = self.answers.pop(0)
        if answer is None:
            await asyncio.Event().wait()
        if not answer:
            raise NotReady("scripted")


async def reports(schedule: Schedule, *answers: bool | None) -> list[tuple[bool, str] | str]:
    """Return what `watch` reports, and how it explains a slow start, for these answers."""
    probe, clock = Scripted(*answers), ManualClock()
    found: list[tuple[bool, str] | str] = []
    task = asyncio.create_task(
        watch_check(probe.check, schedule, clock, lambda *report: found.append(report), found.append)
    )
    async with asyncio.timeout(5):
        while probe.looks <= len(answers):
            clock.advance(10)
            await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return found


async def test_one_success_makes_ready_and_some_failures_end_it() -> None:
    """One success makes ready, three failures in a row end it; fewer change nothing."""
    schedule = Schedule(failure_threshold=3, timeout_s=5)
    answers = [False, False, False, True, True, False, False, True, False, False, False, False, True, True]

    assert [(True, ""), (False, "scripted"), (True, "")] == await reports(schedule, *answers)


async def test_a_slow_start_is_explained() -> None:
    """After twenty failures what is wrong is explained, once, and is no report: nobody is killed for starting long."""
    schedule = Schedule(failure_threshold=30)
    early = await reports(schedule, *[False] * 19, True)
    late = await reports(schedule, *[False] * 25, True, *[False] * 25)

    assert [(True, "")] == early
    assert ["scripted", (True, "")] == late


async def test_no_answer_is_a_failure() -> None:
    """A probe that hangs is ended by the timeout and counted."""
    schedule = Schedule(failure_threshold=1, timeout_s=0.01)
    found = await reports(schedule, True, None, True)

    assert (True, "") == found[0]
    assert (False, "no answer within 0.01 s") == found[1]
    assert (True, "") == found[2]


async def test_looks_often_at_first() -> None:
    """Periods grow from the first one to that of starting, and change to the steady one when ready."""
    waits: list[float] = []
    eighth = asyncio.Event()

    class Noted(ManualClock):
        async def sleep(self, seconds: float) -> None:
            waits.append(seconds)
            if len(waits) == 8:
                eighth.set()
                await asyncio.Event().wait()

    probe = Scripted(False, False, False, False, False, False, True, True)
    task = asyncio.create_task(watch_check(probe.check, Schedule(), Noted(), lambda *_: None))
    async with asyncio.timeout(5):
        await eighth.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert [0.05, 0.075, 0.1125, 0.16875, 0.25, 0.25, 1.0, 1.0] == pytest.approx(waits)
