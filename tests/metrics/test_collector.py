"""One snapshot from the supervisor's word and the process table."""

import os
import time

from google.protobuf.timestamp_pb2 import Timestamp

from feedmesh.supervisor.v1 import supervisor_service_pb2 as pb
from meshkit.clock import ManualClock, SystemClock
from services.metrics.collector import Collector
from services.metrics.host import processes
from services.metrics.snapshot import Plan, ProcessReading, ServiceSample, Snapshot
from services.metrics.supervisor import SupervisorLink
from tests.metrics.fakes import FakeSupervisor, child


def pids(snapshot: Snapshot) -> list[tuple[str, int]]:
    """Return service and pid of every process."""
    return [(sample.service, sample.reading.pid) for sample in snapshot.processes]


async def test_snapshot_has_every_process_of_the_mesh(supervisor: FakeSupervisor) -> None:
    """The supervisor, its services with their children and this process are all there; oneshots have no process."""
    with child(children=1) as mesh, child() as service:
        supervisor.says(
            mesh.pid,
            pb.Service(name="postgres-init"),
            pb.Service(name="svc", pid=service.pid, restarts=3, last_restart_time=Timestamp(seconds=7, nanos=10**8)),
        )
        async with SupervisorLink(supervisor.socket) as link:
            snapshot = await Collector(link.plan, processes.read, SystemClock()).collect()

    assert pids(snapshot) == [
        ("process-metrics", os.getpid()),
        *sorted(("supervisor", pid) for pid in (mesh.pid, *mesh.children)),
        ("svc", service.pid),
    ]
    assert snapshot.supervisor_up
    assert snapshot.services == (
        ServiceSample("postgres-init", 0, 0, None),
        ServiceSample("svc", service.pid, 3, 7100),
    )


async def test_busy_process_has_its_share(supervisor: FakeSupervisor) -> None:
    """The share of a child that used a second of CPU between samples is that second over the time that passed."""
    with child() as busy:
        supervisor.says(0, pb.Service(name="svc", pid=busy.pid))
        async with SupervisorLink(supervisor.socket) as link:
            collector = Collector(link.plan, processes.read, SystemClock())
            begun_s = time.monotonic()
            first = await collector.collect()
            busy.burn(1.05)
            second = await collector.collect()
            passed_s = time.monotonic() - begun_s

    shares = [[s.cpu_percent for s in snapshot.processes if s.service == "svc"] for snapshot in (first, second)]
    assert shares[0] == [None]
    assert shares[1][0] is not None
    # The window lies within the time that passed here, so the share times that is at least the CPU time used.
    assert 1.0 <= shares[1][0] / 100 * passed_s <= 1.2 * passed_s


async def test_supervisor_away_keeps_what_it_said(supervisor: FakeSupervisor) -> None:
    """Without the supervisor the last known services are measured as long as they live; when it is back, so is all."""
    with child() as lasting, child() as passing:
        supervisor.says(0, pb.Service(name="a", pid=lasting.pid, restarts=1), pb.Service(name="b", pid=passing.pid))
        async with SupervisorLink(supervisor.socket) as link:
            collector = Collector(link.plan, processes.read, SystemClock())
            await collector.collect()
            await supervisor.stop()
            passing.process.kill()
            passing.process.wait()
            away = await collector.collect()
            await supervisor.start()
            back = await collector.collect()

    assert not away.supervisor_up
    assert ("a", lasting.pid) in pids(away)
    assert "b" not in dict(pids(away))
    assert [service.restarts for service in away.services] == [1, 0]
    assert back.supervisor_up


async def test_supervisor_never_there_leaves_this_process() -> None:
    """Before the supervisor has said anything this process alone is measured."""

    async def nobody() -> Plan | None:
        return None

    snapshot = await Collector(nobody, processes.read, SystemClock()).collect()

    assert {("process-metrics", os.getpid())} <= set(pids(snapshot))
    assert (snapshot.services, snapshot.supervisor_up) == ((), False)


async def test_pid_taken_over_while_supervisor_is_away_is_not_ours() -> None:
    """A stranger that got the pid of a dead service is not measured as that service."""
    plans = [Plan(1, (ServiceSample("svc", 50, 0, None),)), None, None]
    started_s = iter([10.0, 10.0, 99.0])

    async def plan() -> Plan | None:
        return plans.pop(0)

    def read(_roots: object) -> list[tuple[str, ProcessReading]]:
        return [("svc", ProcessReading(50, next(started_s), "p", 0.0, 0.0, 0))]

    collector = Collector(plan, read, ManualClock())

    assert [pids(await collector.collect()) for _ in range(3)] == [[("svc", 50)], [("svc", 50)], []]
