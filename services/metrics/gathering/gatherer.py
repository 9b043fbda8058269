"""Gather the pages of all processes again and again; one that is dead, hangs or writes too much keeps back no other."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias

from meshkit.clock import Clock
from meshkit.log import get_logger
from meshkit.metrics import Metric, Registry, Sample
from meshkit.push import exposition
from meshkit.push.page import Page
from services.metrics.gathering.target import Target, Unreadable

LABEL: Final = "mesh_service"
_TARGET: Final = (LABEL,)

GATHERING_METRICS: Final = (
    Metric(
        "feedmesh_target_up",
        "gauge",
        "1 if the page of a process could be read when last asked.",
        _TARGET,
        derived=True,
    ),
    Metric("feedmesh_target_seconds", "gauge", "Time that reading it took, in seconds.", _TARGET, derived=True),
    Metric("feedmesh_target_samples", "gauge", "Samples on it.", _TARGET, derived=True),
    Metric("feedmesh_target_odd_lines", "gauge", "Lines on it that are no samples, left out.", _TARGET, derived=True),
    Metric(
        "feedmesh_target_left_out_samples",
        "gauge",
        "Samples on it that are not pushed, as metricsPush.nodeMetrics or nodeSamples say.",
        _TARGET,
        derived=True,
    ),
    Metric(
        "feedmesh_target_failures_total",
        "counter",
        "Times that it could not be read: unreachable, late, refused or too_long.",
        (LABEL, "reason"),
    ),
)

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Gathered:
    """Hold one reading of a target: its page, None if it could not be read, and what reading it was like."""

    service: str
    text: bytes | None
    seconds: float
    samples: int = 0
    odd_lines: int = 0
    left_out: int = 0
    reason: str = ""


_Figure: TypeAlias = Callable[[Gathered], float]


class Gatherer:
    """
    Keep the newest page of each target.

    A page waits until a push that had it was taken; then it is not sent again, as its values are of another time.
    """

    def __init__(self, targets: Sequence[Target], interval_s: float, clock: Clock, registry: Registry) -> None:
        self._targets = targets
        self._interval_s = interval_s
        self._clock = clock
        self._failures = registry.counter("feedmesh_target_failures_total")
        self._last: dict[str, Gathered] = {}
        self._waiting: dict[str, Page] = {}
        self._offered: dict[str, Page] = {}
        figures: dict[str, _Figure] = {
            "feedmesh_target_up": lambda each: float(each.text is not None),
            "feedmesh_target_seconds": lambda each: each.seconds,
            "feedmesh_target_samples": lambda each: each.samples,
            "feedmesh_target_odd_lines": lambda each: each.odd_lines,
            "feedmesh_target_left_out_samples": lambda each: each.left_out,
        }
        for name, value in figures.items():
            registry.derive(name, partial(self._samples, value))

    async def run(self) -> None:
        """Gather for ever."""
        while True:
            begun_s = self._clock.monotonic()
            await self.gather()
            await self._clock.sleep(self._interval_s - (self._clock.monotonic() - begun_s) % self._interval_s)

    async def gather(self) -> None:
        """Read all targets at once, each within its own time."""
        for found in await asyncio.gather(*map(self._read, self._targets)):
            before = self._last.get(found.service)
            if found.reason and (before is None or before.reason != found.reason):
                _log.info("page_unreadable", target=found.service, reason=found.reason)
            self._last[found.service] = found
            self._waiting[found.service] = Page(found.text, {LABEL: found.service})

    def offer(self) -> list[Page]:
        """Return the pages that wait to be pushed."""
        self._offered = dict(self._waiting)
        return list(self._offered.values())

    def taken(self) -> None:
        """Let go of the pages that were last offered, but for those that are newer by now."""
        for service, page in self._offered.items():
            if self._waiting.get(service) is page:
                del self._waiting[service]
        self._offered = {}

    async def _read(self, target: Target) -> Gathered:
        begun_s = self._clock.monotonic()
        try:
            page = await target.read()
        except Unreadable as error:
            self._failures.labels(target.service, error.reason).inc()
            return Gathered(target.service, None, self._clock.monotonic() - begun_s, reason=error.reason)
        seconds = self._clock.monotonic() - begun_s
        # A page of thousands of lines would hold up all else meanwhile.
        return await asyncio.to_thread(_looked_through, target, page, seconds)

    def _samples(self, value: _Figure) -> Iterator[Sample]:
        for service, found in self._last.items():
            yield (service,), value(found)


def _looked_through(target: Target, page: bytes, seconds: float) -> Gathered:
    text, odd = exposition.readable(page)
    left_out = 0
    if target.wanted is not None:
        text, left_out = exposition.only(text, target.wanted.names, target.wanted.most)
    return Gathered(target.service, text, seconds, exposition.count(text), odd, left_out)
