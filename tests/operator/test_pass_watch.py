"""A pass that never ends is seen, and told to whoever asks for the process's health."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hypothesis import given
from hypothesis import strategies as st

from meshkit.clock import ManualClock
from meshkit.rpc import client
from meshkit.rpc.server import LIVENESS, MeshServer
from services.operator import reconcile_loop
from services.operator.outcome import Outcome
from services.operator.pass_watch import LOOK_S, PassWatch, longest_pass_s
from services.operator.reconcile_loop import STEADY_S
from services.operator.reconciler import Part

BOUND_S = 100.0
Health = Callable[[], Awaitable[list[str]]]


@pytest.fixture(name="server")
async def _server(run_dir: Path) -> AsyncIterator[MeshServer]:
    """Give a server that answers for its health."""
    async with MeshServer("operator", run_dir / "operator.sock") as server:
        yield server


@pytest.fixture(name="health")
async def _health(server: MeshServer, run_dir: Path) -> AsyncIterator[Health]:
    """Give what the server says of itself, and of its liveness."""
    async with client.channel(run_dir / "operator.sock") as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)

        async def ask() -> list[str]:
            answers = [await stub.Check(health_pb2.HealthCheckRequest(service=name)) for name in ("", LIVENESS)]
            return [health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status) for answer in answers]

        yield ask


async def settle(clock: ManualClock, seconds: float = LOOK_S) -> None:
    """Let everything that can go on go on, then move the clock."""
    for _ in range(20):
        await asyncio.sleep(0)
    clock.advance(seconds)
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_pass_that_never_ends(server: MeshServer, health: Health) -> None:
    """When a part's pass exceeds the bound, health and liveness are NOT_SERVING; other parts' passes do not hide it."""
    clock, release = ManualClock(), asyncio.Event()
    watch = PassWatch(clock, BOUND_S)

    async def stuck() -> Outcome:
        await release.wait()
        return Outcome((), {})

    async def quick() -> Outcome:
        return Outcome((), {})

    parts = [Part("stuck", stuck, lambda: True), Part("quick", quick, lambda: True)]
    tasks = [
        asyncio.create_task(reconcile_loop.run(parts, lambda: False, clock, watch)),
        asyncio.create_task(watch.run(server.set_alive)),
    ]
    try:
        for _ in range(int(BOUND_S / LOOK_S)):
            await settle(clock)
        assert ((), ["SERVING", "SERVING"]) == (watch.overdue(), await health())
        await settle(clock)
        assert (("stuck",), ["NOT_SERVING", "NOT_SERVING"]) == (watch.overdue(), await health())

        release.set()
        await settle(clock)
        assert ["SERVING", "SERVING"] == await health()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_passes_that_end_are_no_long_one(server: MeshServer, health: Health) -> None:
    """However long a part goes on passing, each pass begins anew, also after one with a defect."""
    clock = ManualClock()
    watch = PassWatch(clock, BOUND_S)
    passes = 0

    async def run() -> Outcome:
        nonlocal passes
        passes += 1
        if passes % 2:
            raise ZeroDivisionError("a defect")
        return Outcome((), {})

    tasks = [
        asyncio.create_task(reconcile_loop.run([Part("part", run, lambda: True)], lambda: False, clock, watch)),
        asyncio.create_task(watch.run(server.set_alive)),
    ]
    try:
        for _ in range(20):
            await settle(clock, STEADY_S)
        assert passes > 10
        assert ["SERVING", "SERVING"] == await health()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@given(st.integers(1, 1000), st.integers(1, 50), st.floats(1, 600))
def test_the_bound_covers_every_deadline(feeds: int, batch: int, deadline_s: float) -> None:
    """The bound is above the deadlines of all batches, both of a deployment and of a configuration."""
    waits_s = 2 * deadline_s * len(range(0, feeds, batch))

    assert longest_pass_s(feeds, batch, deadline_s) > waits_s
    assert longest_pass_s(3, 10, 60) < 600
