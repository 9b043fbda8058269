"""Measure the mesh: the supervisor says what belongs to it, the process table says what it uses."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from meshkit.clock import Clock
from services.metrics.cpu_by_service import CpuMeter, ProcessKey, key
from services.metrics.snapshot import Plan, ProcessReading, ProcessSample, ServiceSample, Snapshot

SUPERVISOR = "supervisor"
OWN_SERVICE = "process-metrics"
SAMPLE_EVERY_S = 5.0

AskPlan: TypeAlias = Callable[[], Awaitable[Plan | None]]
ReadProcesses: TypeAlias = Callable[[Mapping[int, str]], list[tuple[str, ProcessReading]]]


class Collector:
    """
    Take snapshots, one at a time.

    While the supervisor does not answer, the processes it last named are measured as long as they live, and restart
    counts keep their last value: a counter that vanished would look like a reset.
    """

    def __init__(self, ask_plan: AskPlan, read_processes: ReadProcesses, clock: Clock) -> None:
        self._ask_plan = ask_plan
        self._read_processes = read_processes
        self._clock = clock
        self._meter = CpuMeter()
        self._lock = asyncio.Lock()
        self._services: tuple[ServiceSample, ...] = ()
        self._roots: dict[int, str] = {}
        self._root_keys: dict[int, ProcessKey] = {}

    async def collect(self) -> Snapshot:
        """Measure now."""
        async with self._lock:
            plan = await self._ask_plan()
            if plan is not None:
                self._services = plan.services
                self._roots = roots(plan)
                self._root_keys = {}
            # This process is measured even if nobody has told us of it.
            watched = {os.getpid(): OWN_SERVICE} | self._roots
            found = await asyncio.to_thread(self._read_processes, watched)
            found = self._without_strangers(found)
            now_s = self._clock.monotonic()
            percents = self._meter.measure((reading for _, reading in found), now_s)
            processes = [ProcessSample(service, reading, percents[key(reading)]) for service, reading in found]
            return Snapshot(
                time_ms=self._clock.time_ms(),
                processes=tuple(sorted(processes, key=lambda sample: (sample.service, sample.reading.pid))),
                services=self._services,
                supervisor_up=plan is not None,
            )

    async def run(self) -> None:
        """Measure for ever, so that CPU shares cover a short recent window even if nobody asks."""
        while True:
            await self.collect()
            await self._clock.sleep(SAMPLE_EVERY_S)

    def _without_strangers(self, found: list[tuple[str, ProcessReading]]) -> list[tuple[str, ProcessReading]]:
        """Drop what belongs to a root whose pid another process has taken over since the supervisor named it."""
        taken = set()
        for service, reading in found:
            if reading.pid in self._roots and self._root_keys.setdefault(reading.pid, key(reading)) != key(reading):
                taken.add(service)
                self._roots.pop(reading.pid)
        return [(service, reading) for service, reading in found if service not in taken]


def roots(plan: Plan) -> dict[int, str]:
    """Return the service of each pid the supervisor named, with the supervisor itself."""
    return {plan.supervisor_pid: SUPERVISOR} | {
        service.pid: service.service for service in plan.services if service.pid > 0
    }
