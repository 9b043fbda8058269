"""PostgreSQL as the plan has it, under a real supervisor: its stop, its crashes, and the states it cannot start in."""

import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import psutil

from meshkit.configuration.load import load
from meshkit.paths import DataDir, SecretsDir
from services.dbinit.cluster.place import Place
from services.dbinit.config import Settings
from services.dbinit.databases.session import superuser
from services.supervisor.lifecycle.events_and_actions import Start, Stop
from services.supervisor.lifecycle.service_states import State
from services.supervisor.plan.plan_input import PlanInput
from services.supervisor.plan.service_definitions import services_of
from services.supervisor.plan.service_spec import ServiceSpec, StopPlan, StopStep
from tests.dbinit.conftest import MakeSettings, needs_root
from tests.dbinit.server import Server
from tests.dbinit.test_config import VECTOR
from tests.supervisor.fakes import QUICK, Mesh, running
from tests.waiting import until


def postgres(settings: Settings) -> ServiceSpec:
    """Return the plan's service for a cluster that exists, without its dependencies and with quick restarts."""
    path = settings.run_dir.path / "configuration.json"
    data_dir = settings.place.path.parent
    solution = VECTOR["solution"] | {"pgPort": settings.port, "mesh": {"dataDir": str(data_dir)}}
    path.write_text(json.dumps({"solution": solution}))
    given = PlanInput(
        configuration=load(path),
        run_dir=settings.run_dir,
        data_dir=DataDir(data_dir),
        secrets_dir=SecretsDir(data_dir / "secrets"),
        runtimes=dict.fromkeys(range(1, 6), "embedded"),
        python=sys.executable,
        environment=os.environ,
    )
    (spec,) = [spec for spec in services_of(given) if spec.name == "postgres"]
    return replace(spec, needs=(), policy=replace(QUICK, max_restarts=spec.policy.max_restarts))


async def stopped(mesh: Mesh) -> str:
    """Stop PostgreSQL by hand and return all it has written."""
    mesh.supervision.post(Stop("postgres"))
    await mesh.until(lambda: mesh.state("postgres") is State.STOPPED, timeout_s=45)
    return "\n".join(mesh.lines("postgres"))


async def test_stop_does_not_wait_for_clients(spare: Server) -> None:
    """With a client connected the stop is the fast one, and the next start has nothing to recover."""
    async with running([postgres(spare.settings)], spare.settings.run_dir.path) as mesh:
        await mesh.until(lambda: mesh.state("postgres") is State.HEALTHY, timeout_s=45)
        async with superuser(spare.settings):
            said = await stopped(mesh)
        mesh.supervision.post(Start("postgres"))
        await mesh.until(lambda: mesh.state("postgres") is State.HEALTHY, timeout_s=45)
        again = "\n".join(mesh.lines("postgres")).removeprefix(said)

    assert "received fast shutdown request" in said
    assert "smart shutdown" not in said
    assert "database system was shut down at" in again
    assert "recovery" not in again


async def test_stop_that_hangs_becomes_the_immediate_one(spare: Server) -> None:
    """A backend that does not end holds up the fast stop; SIGQUIT follows, and still no SIGTERM."""
    spec = postgres(spare.settings)
    short = StopPlan((StopStep(signal.SIGINT, 0.2), StopStep(signal.SIGQUIT, 15.0)), checkpoint=spec.stop.checkpoint)

    assert [step.signal for step in short.steps] == [step.signal for step in spec.stop.steps]

    async with running([replace(spec, stop=short)], spare.settings.run_dir.path) as mesh:
        await mesh.until(lambda: mesh.state("postgres") is State.HEALTHY, timeout_s=45)
        async with superuser(spare.settings) as connection:
            backend = psutil.Process(await connection.fetchval("SELECT pg_backend_pid()"))
            backend.suspend()
            mesh.supervision.post(Stop("postgres"))
            await until(
                lambda: any("received immediate shutdown" in line for line in mesh.lines("postgres")), "SIGQUIT"
            )
            backend.resume()
            said = await stopped(mesh)
            connection.terminate()

    assert said.index("received fast shutdown request") < said.index("received immediate shutdown request")
    assert "smart shutdown" not in said


async def test_a_crashed_backend_is_a_restart(spare: Server) -> None:
    """When one of its processes is killed the server ends, and the supervisor shows and counts that."""
    async with running([postgres(spare.settings)], spare.settings.run_dir.path) as mesh:
        await mesh.until(lambda: mesh.state("postgres") is State.HEALTHY, timeout_s=45)
        before = mesh.pid("postgres")
        async with superuser(spare.settings) as connection:
            psutil.Process(await connection.fetchval("SELECT pg_backend_pid()")).kill()
            await mesh.until(lambda: mesh.machine.services["postgres"].restarts == 1, timeout_s=45)
            connection.terminate()
        await mesh.until(lambda: mesh.state("postgres") is State.HEALTHY, timeout_s=45)

        assert before != mesh.pid("postgres")
        assert "exit 1" == mesh.machine.services["postgres"].last_exit


async def given_up(settings: Settings) -> tuple[int, str, str]:
    """Return the exit code, the message and the last line of a mesh that gives PostgreSQL up."""
    async with running([postgres(settings)], settings.run_dir.path) as mesh:
        await mesh.until(lambda: mesh.state("postgres") is State.FAILED, timeout_s=60)
        assert mesh.task is not None
        return await mesh.task, mesh.machine.services["postgres"].message, mesh.lines("postgres")[-1]


async def test_damage_ends_the_mesh_with_its_own_code(spare: Server, restored: Path) -> None:
    """A damaged cluster is tried as often as the budget allows, then the mesh ends; code and last line say why."""
    (restored / "global/pg_control").write_bytes(bytes(8192))
    code, message, line = await given_up(spare.settings)

    assert (65, "exit 65 after 3 restarts") == (code, message)
    assert "pg_control: is damaged" in line
    assert "Way out: restore" in line


@needs_root
async def test_a_full_disk_ends_the_mesh_with_its_own_code(make_settings: MakeSettings, small_disk: Path) -> None:
    """The same for a full disk, with another code."""
    server = Server(make_settings(place=Place(small_disk / "postgresql")))
    free = os.statvfs(small_disk)
    (small_disk / "ballast").write_bytes(bytes(free.f_bavail * free.f_frsize - 2**20))
    code, message, line = await given_up(server.settings)

    assert (74, "exit 74 after 3 restarts") == (code, message)
    assert "the disk is full: 1 MB are free" in line or "the disk is full: 0 MB are free" in line
    assert "Way out: free some space" in line
