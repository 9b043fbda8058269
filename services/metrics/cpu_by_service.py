"""The arithmetic of measuring: whose process it is, and how much CPU it used. No clock, no operating system."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from services.metrics.snapshot import ProcessReading

ProcessKey: TypeAlias = tuple[int, float]
SHORTEST_WINDOW_S = 1.0
"""A CPU share over less than this is mostly noise: the kernel counts CPU time in steps of 10 ms."""


def key(reading: ProcessReading) -> ProcessKey:
    """Return what identifies a process for ever: its pid and start time."""
    return reading.pid, reading.started_s


def owners(parents: Mapping[int, int], roots: Mapping[int, str]) -> dict[int, str]:
    """
    Say which service each process belongs to: that of the nearest root at or above it.

    `parents` maps pid to parent pid for all processes of the host, `roots` the pid of each service's first process to
    the service's name. Processes below no root are left out.
    """
    found: dict[int, str] = {}
    for pid in parents:
        path: list[int] = []
        here = pid
        # A snapshot of the process table is not atomic, so a pid that was used again may close a circle.
        while here not in roots and here in parents and here not in path:
            path.append(here)
            here = parents[here]
        if here in roots and here in parents:
            found.update(dict.fromkeys((*path, here), roots[here]))
    return found


@dataclass(frozen=True, slots=True)
class _Baseline:
    at_s: float
    cpu_s: float
    percent: float | None


class CpuMeter:
    """
    Compute CPU shares from successive readings.

    The share is the CPU time used since the reading before, over the monotonic time since then, times 100: one whole
    core is 100. A first reading has none. Readings less than SHORTEST_WINDOW_S apart repeat the last share, so that
    two scrapers do not take each other's windows.
    """

    def __init__(self) -> None:
        self._baselines: dict[ProcessKey, _Baseline] = {}

    def measure(self, readings: Iterable[ProcessReading], now_s: float) -> dict[ProcessKey, float | None]:
        """Return each reading's share, None where there is none yet; forget processes that are not among them."""
        baselines: dict[ProcessKey, _Baseline] = {}
        for reading in readings:
            baselines[key(reading)] = self._next(self._baselines.get(key(reading)), reading.cpu_s, now_s)
        self._baselines = baselines
        return {process: baseline.percent for process, baseline in baselines.items()}

    @staticmethod
    def _next(before: _Baseline | None, cpu_s: float, now_s: float) -> _Baseline:
        if before is None:
            return _Baseline(now_s, cpu_s, None)
        window_s = now_s - before.at_s
        if window_s < SHORTEST_WINDOW_S:
            return before
        return _Baseline(now_s, cpu_s, max(0.0, cpu_s - before.cpu_s) / window_s * 100)
