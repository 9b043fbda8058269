"""What viewers are told, and that nobody can make it much."""

import asyncio
from typing import Any

import orjson
import pytest

from feedmesh.operator.v1 import operator_service_pb2 as operator
from feedmesh.supervisor.v1 import supervisor_service_pb2 as supervisor
from meshkit.clock import ManualClock
from services.metrics.page.content.tables import FEEDS_A_PAGE, Choice
from services.metrics.page.live.audience import Audience
from services.metrics.page.live.events import GATHER_S, Events
from tests.metrics.page.meshes import NOW_S, mesh


class _Viewer:
    """Take in what is written, as long as it is wanted."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.takes = asyncio.Event()
        self.takes.set()
        self.came = asyncio.Event()

    async def write(self, data: bytes) -> None:
        await self.takes.wait()
        if data.startswith(b"event: changes\n"):
            assert data.endswith(b"\n\n")
            self.told.append(orjson.loads(data.removeprefix(b"event: changes\ndata: ")))
            self.came.set()

    async def next(self) -> dict[str, Any]:
        """Return the next thing that is told."""
        await self.came.wait()
        self.came.clear()
        return self.told[-1]


def restarted(count: int) -> supervisor.WatchServicesResponse:
    """Return a change of a service."""
    service = supervisor.Service(name="chainlink-node-2", state=supervisor.SERVICE_STATE_BACKOFF, restarts=count)
    return supervisor.WatchServicesResponse(service=service)


async def _until_asleep(clock: ManualClock) -> None:
    """Move the clock once somebody sleeps on it."""
    for _ in range(50):
        await asyncio.sleep(0)
    clock.advance(GATHER_S)


async def test_only_changes_are_told() -> None:
    """First all is told, then only the row that changed, and at the end the viewer is let go and counted no more."""
    seen, clock = mesh(), ManualClock(NOW_S * 1000)
    audience, viewer = Audience(clock), _Viewer()
    events = Events(seen, audience, clock)
    telling = asyncio.create_task(events.tell(viewer.write, Choice()))
    first = await viewer.next()
    assert audience.is_there

    seen.service_changed(restarted(1))
    await _until_asleep(clock)
    second = await viewer.next()
    events.close()
    await _until_asleep(clock)
    await telling

    assert {"alerts", "links", "feeds", "services", "sources", "money"} == set(first["tables"])
    assert ["chainlink-node-2"] == list(second["tables"].pop("services")["rows"])
    assert ({}, ["tables", "now_ms"]) == (second["tables"], sorted(second, reverse=True))
    assert not audience.is_there


async def test_a_slow_viewer_misses_what_was_between() -> None:
    """Ten thousand changes while a viewer takes nothing cost nothing: then it is told the last state, once."""
    seen, clock = mesh(), ManualClock(NOW_S * 1000)
    viewer = _Viewer()
    events = Events(seen, Audience(clock), clock)
    telling = asyncio.create_task(events.tell(viewer.write, Choice()))
    await viewer.next()
    viewer.takes.clear()
    for count in range(10_000):
        seen.service_changed(restarted(count))
    await _until_asleep(clock)
    viewer.takes.set()
    last = await viewer.next()
    telling.cancel()
    await asyncio.gather(telling, return_exceptions=True)

    assert "9999" == last["tables"]["services"]["rows"]["chainlink-node-2"][3]["text"]
    assert 2 == len(viewer.told)


async def test_a_viewer_that_is_gone_leaves_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """A viewer that went away while nothing changed is counted no more, though nothing was written to it."""
    monkeypatch.setattr("services.metrics.page.live.events.LOOK_S", 0.01)
    clock, viewer = ManualClock(NOW_S * 1000), _Viewer()
    seen, audience = mesh(), Audience(clock)
    gone = asyncio.Event()
    telling = asyncio.create_task(Events(seen, audience, clock).tell(viewer.write, Choice(), gone.is_set))
    await viewer.next()
    gone.set()
    await telling

    assert (False, 1) == (audience.is_there, len(viewer.told))


async def test_a_viewer_that_takes_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever does not take what it is told within the time is let go, and its place is free."""
    monkeypatch.setattr("services.metrics.page.live.events.SLOWEST_S", 0.01)
    clock, viewer = ManualClock(NOW_S * 1000), _Viewer()
    audience = Audience(clock)
    viewer.takes.clear()

    with pytest.raises(TimeoutError):
        await Events(mesh(), audience, clock).tell(viewer.write, Choice())
    assert not audience.is_there


async def test_many_feeds_cost_a_viewer_what_few_do() -> None:
    """Of 260 feeds a round of one is told as one row, and a round of one that is on another page as nothing."""
    names = [f"Feed {index}" for index in range(260)]
    seen, clock, viewer = mesh(names, seen_times=2), ManualClock(NOW_S * 1000), _Viewer()
    telling = asyncio.create_task(Events(seen, Audience(clock), clock).tell(viewer.write, Choice()))
    first = await viewer.next()
    for name in ("Feed 250", "Feed 7"):
        accepted = operator.Round(feed=name, round_id=10, answer="7.5")
        accepted.block_time.seconds = NOW_S
        seen.round_accepted(accepted)
    await _until_asleep(clock)
    second = await viewer.next()
    telling.cancel()
    await asyncio.gather(telling, return_exceptions=True)

    assert FEEDS_A_PAGE == len(first["tables"]["feeds"]["rows"])
    assert (["feeds"], ["Feed 7"]) == (list(second["tables"]), list(second["tables"]["feeds"]["rows"]))
