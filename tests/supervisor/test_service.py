"""SupervisorService over its socket."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import pytest

from feedmesh.supervisor.v1 import supervisor_service_pb2 as pb
from feedmesh.supervisor.v1 import supervisor_service_pb2_grpc as rpc
from meshkit.paths import RunDir
from meshkit.rpc.client import channel
from meshkit.rpc.server import MeshServer
from services.supervisor.apply_configuration import Applier
from services.supervisor.config import LogSettings, Settings
from services.supervisor.lifecycle.service_states import State
from services.supervisor.plan.mesh_plan import MeshPlan
from services.supervisor.plan.service_spec import RestartPolicy, ServiceSpec
from services.supervisor.run_dir_lock import RunDirLock
from services.supervisor.service import NAME, SupervisorService
from tests.supervisor.fakes import SCENARIOS, Mesh, completed, oneshot, running, scenario_specs, shell, sleeper

if TYPE_CHECKING:
    Stub = rpc.SupervisorServiceAsyncStub  # the generated module has it for type checkers only
else:
    Stub = object


ONCE = RestartPolicy(max_restarts=0)


@dataclass
class Served:
    """A mesh and a client of its API."""

    mesh: Mesh
    stub: Stub


@asynccontextmanager
async def served(specs: list[ServiceSpec], run_dir: Path) -> AsyncIterator[Served]:
    """Run services with the API in front of them."""
    async with running(specs, run_dir) as mesh:
        server = MeshServer("supervisor", run_dir / "supervisor.sock", drain_s=0.2)
        settings = Settings(RunDir(run_dir), LogSettings(run_dir / "logs"))
        lock = RunDirLock(settings.run_dir)

        async def make_plan(path: Path) -> MeshPlan:
            return MeshPlan(settings, tuple(scenario_specs(path.read_text())))

        applier = Applier(run_dir / "scenario", MeshPlan(settings, tuple(specs)), mesh.supervision, lock, make_plan)
        servicer = SupervisorService(mesh.supervision, mesh.logs, applier)
        server.add(rpc.add_SupervisorServiceServicer_to_server, servicer, NAME)
        async with server, channel(run_dir / "supervisor.sock") as connection:
            yield Served(mesh, rpc.SupervisorServiceStub(connection))


async def test_list_get_and_plan(run_dir: Path) -> None:
    """Services come in start order with their state, the plan in waves with its edges."""
    async with served(SCENARIOS["chain"](), run_dir) as it:
        await it.stub.WaitReady(pb.WaitReadyRequest(), timeout=10)
        listed = await it.stub.ListServices(pb.ListServicesRequest())
        one = (await it.stub.GetService(pb.GetServiceRequest(name="first"))).service
        waves = (await it.stub.GetPlan(pb.GetPlanRequest())).waves

    names = ["first", "prepare", "second", "third"]
    assert (os.getpid(), names) == (listed.supervisor_pid, [service.name for service in listed.services])
    assert one == listed.services[0]
    assert (pb.SERVICE_STATE_HEALTHY, pb.SERVICE_KIND_LONGRUN) == (one.state, one.kind)
    assert one.pid > 0
    assert one.HasField("start_time")
    assert not one.HasField("last_restart_time")
    assert [[name] for name in names] == [[service.name for service in wave.services] for wave in waves]
    assert waves[2].services[0].dependencies == [pb.Dependency(name="prepare", condition=pb.CONDITION_COMPLETED)]
    assert ["sh", "-c", "exec sleep 1000"] == list(waves[0].services[0].command)


async def test_stop_start_restart(run_dir: Path) -> None:
    """Each returns when it is done; none counts as a crash or touches others."""
    async with served([sleeper("a"), sleeper("b")], run_dir) as it:
        await it.stub.WaitReady(pb.WaitReadyRequest(), timeout=10)
        first = it.mesh.pid("a")
        restarted = (await it.stub.RestartService(pb.RestartServiceRequest(name="a"))).service
        stopped = (await it.stub.StopService(pb.StopServiceRequest(name="a"))).service
        again = (await it.stub.StopService(pb.StopServiceRequest(name="a"))).service
        started = (await it.stub.StartService(pb.StartServiceRequest(name="a"))).service
        up = (await it.stub.StartService(pb.StartServiceRequest(name="a"))).service

        assert restarted.pid not in {0, first}
        assert (pb.SERVICE_STATE_STOPPED, 0, "signal SIGTERM") == (stopped.state, stopped.pid, stopped.last_exit)
        assert stopped == again
        assert (pb.SERVICE_STATE_HEALTHY, 0) == (started.state, started.restarts)
        assert started.pid == up.pid


@pytest.mark.parametrize("verb", ["Get", "Start", "Stop", "Restart", "Signal"])
async def test_unknown_names(run_dir: Path, verb: str) -> None:
    """Every rpc that names a service answers NOT_FOUND for one that is not there."""
    async with served([sleeper("a")], run_dir) as it:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await getattr(it.stub, f"{verb}Service")(getattr(pb, f"{verb}ServiceRequest")(name="b"))

        assert (grpc.StatusCode.NOT_FOUND, "no service 'b'") == (caught.value.code(), caught.value.details())


async def test_signal(run_dir: Path) -> None:
    """A signal reaches the service; an unknown one and one without a process are refused."""
    service = shell("a", "trap 'echo hup' HUP; echo up; while :; do sleep 0.05; done")
    async with served([service], run_dir) as it:
        await it.mesh.until_line("a", "up")
        await it.stub.SignalService(pb.SignalServiceRequest(name="a", signal="SIGHUP"))
        await it.mesh.until_line("a", "hup")
        codes = []
        for name in ("SIGNONE", "SIGHUP"):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await it.stub.SignalService(pb.SignalServiceRequest(name="a", signal=name))
            codes.append(caught.value.code())
            await it.stub.StopService(pb.StopServiceRequest(name="a"))

        assert [grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION] == codes


async def read(stream: Any, count: int) -> list[pb.WatchServicesResponse]:
    """Read so many answers of a watch."""
    async with asyncio.timeout(10):
        return [await stream.read() for _ in range(count)]


async def test_watch_begins_with_all_states_and_misses_nothing(run_dir: Path) -> None:
    """A snapshot of every service, then each change with the next number."""
    async with served([sleeper("a"), sleeper("b")], run_dir) as it:
        await it.stub.WaitReady(pb.WaitReadyRequest(), timeout=10)
        stream = it.stub.WatchServices(pb.WatchServicesRequest())
        snapshot = await read(stream, 2)
        await it.stub.RestartService(pb.RestartServiceRequest(name="a"))
        changes = await read(stream, 2)
        stream.cancel()
        last = snapshot[-1].sequence

        assert [("a", True), ("b", True)] == [(each.service.name, each.snapshot) for each in snapshot]
        assert [last + 1, last + 2] == [each.sequence for each in changes]
        assert (pb.SERVICE_STATE_STOPPING, False) == (changes[0].service.state, changes[0].snapshot)


async def test_watch_resumes_where_the_client_was(run_dir: Path) -> None:
    """With its last number a client gets exactly what it missed; a number of another life gives a snapshot."""
    async with served([sleeper("a")], run_dir) as it:
        await it.stub.WaitReady(pb.WaitReadyRequest(), timeout=10)
        seen = it.mesh.supervision.changes.last_sequence
        await it.stub.StopService(pb.StopServiceRequest(name="a"))
        missed = it.mesh.supervision.changes.last_sequence - seen
        stream = it.stub.WatchServices(pb.WatchServicesRequest(after_sequence=seen))
        resumed = await read(stream, missed)
        stream.cancel()
        other = it.stub.WatchServices(pb.WatchServicesRequest(after_sequence=10_000))
        (fresh,) = await read(other, 1)
        other.cancel()

        assert list(range(seen + 1, seen + 1 + missed)) == [each.sequence for each in resumed]
        assert pb.SERVICE_STATE_STOPPED == resumed[-1].service.state
        assert not any(each.snapshot for each in resumed)
        assert fresh.snapshot


async def test_watch_ends_after_the_last_change(run_dir: Path) -> None:
    """The stream tells the stop of everything and then ends by itself."""
    async with served([sleeper("a")], run_dir) as it:
        await it.stub.WaitReady(pb.WaitReadyRequest(), timeout=10)
        stream = it.stub.WatchServices(pb.WatchServicesRequest())
        await it.stub.Shutdown(pb.ShutdownRequest(reason="test"))
        async with asyncio.timeout(10):
            states = [each.service.state async for each in stream]

        assert pb.SERVICE_STATE_STOPPED == states[-1]


async def test_tail(run_dir: Path) -> None:
    """The last lines, of all or of some, and then the new ones as they come."""
    script = "trap 'echo three' HUP; echo one; echo two; while :; do sleep 0.05; done"
    async with served([shell("a", script), sleeper("b")], run_dir) as it:
        await it.mesh.until_line("a", "two")
        past = [each.line async for each in it.stub.TailLogs(pb.TailLogsRequest(services=["a"], lines=1))]
        stream: Any = it.stub.TailLogs(pb.TailLogsRequest(services=["a"], follow=True))
        async with asyncio.timeout(10):
            kept = [(await stream.read()).line.text for _ in range(2)]
            await it.stub.SignalService(pb.SignalServiceRequest(name="a", signal="SIGHUP"))
            new = (await stream.read()).line
            while new.text == "Hangup":  # what the shell says of its sleep, which got the signal too
                new = (await stream.read()).line
        stream.cancel()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            [each async for each in it.stub.TailLogs(pb.TailLogsRequest(services=["nobody"]))]

        assert [("a", "two")] == [(line.service, line.text) for line in past]
        assert ["one", "two"] == kept
        assert ("a", "three") == (new.service, new.text)
        assert grpc.StatusCode.NOT_FOUND == caught.value.code()


async def test_tail_selects_by_time_and_text(run_dir: Path) -> None:
    """Only lines since a time, only lines with a text in any case, and the last ones of those."""
    script = "echo Alpha one; echo beta; echo ALPHA two; echo alpha three; exec sleep 1000"
    async with served([shell("a", script)], run_dir) as it:
        await it.mesh.until_line("a", "alpha three")
        request = pb.TailLogsRequest(services=["a"], contains="alpha", lines=2)
        found = [each.line.text async for each in it.stub.TailLogs(request)]
        request.since.GetCurrentTime()
        request.since.seconds += 1
        late = [each async for each in it.stub.TailLogs(request)]
        request.since.seconds -= 60
        early = [each.line.text async for each in it.stub.TailLogs(request)]

    assert ["ALPHA two", "alpha three"] == found == early
    assert [] == late


async def test_tail_goes_back_into_the_files(run_dir: Path) -> None:
    """With a time to begin from, lines that memory has forgotten are sent as well, in order and once."""
    async with served([oneshot("a", "seq 2500")], run_dir) as it:
        await it.mesh.until_state("a", State.COMPLETED)
        request = pb.TailLogsRequest(services=["a"], lines=10_000)
        kept = [each.line.text async for each in it.stub.TailLogs(request)]
        request.since.GetCurrentTime()
        request.since.seconds -= 60
        whole = [each.line.text async for each in it.stub.TailLogs(request)]

    assert 2000 == len(kept)
    assert [str(number) for number in range(1, 2501)] == whole


async def test_wait_ready_tells_who_failed(run_dir: Path) -> None:
    """A mesh that cannot come up is an error with the reason, not a wait."""
    never = replace(oneshot("o", f"while [ ! -e {run_dir}/go ]; do sleep 0.02; done; exit 3"), policy=ONCE)
    async with served([never, sleeper("a", completed("o"))], run_dir) as it:
        waiting = it.stub.WaitReady(pb.WaitReadyRequest(), timeout=10)
        (run_dir / "go").touch()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await waiting

        assert grpc.StatusCode.FAILED_PRECONDITION == caught.value.code()
        assert "o failed: exit 3 after 0 restarts" == caught.value.details()
        assert "o is failed" == it.mesh.supervision.status("a").message


async def test_wait_ready_is_bounded_by_its_deadline(run_dir: Path) -> None:
    """A start that takes longer than the caller waits is a deadline."""
    async with served([oneshot("o", "exec sleep 1000")], run_dir) as it:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await it.stub.WaitReady(pb.WaitReadyRequest(), timeout=0.3)

        assert grpc.StatusCode.DEADLINE_EXCEEDED == caught.value.code()


async def test_shutdown_is_answered_until_the_end(run_dir: Path) -> None:
    """During the stop, reads go on, starts are refused, and a second Shutdown is no error."""
    slow = shell("a", "trap 'sleep 0.7; exit 0' TERM; echo up; while :; do sleep 0.05; done")
    async with served([slow], run_dir) as it:
        await it.mesh.until_line("a", "up")
        for _ in range(2):
            await it.stub.Shutdown(pb.ShutdownRequest())
        during = (await it.stub.GetService(pb.GetServiceRequest(name="a"))).service
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await it.stub.StartService(pb.StartServiceRequest(name="a"))

        assert pb.SERVICE_STATE_STOPPING == during.state
        assert grpc.StatusCode.FAILED_PRECONDITION == caught.value.code()
