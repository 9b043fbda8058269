"""The loop with real processes."""

import asyncio
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from services.supervisor.errors import MeshStopping
from services.supervisor.lifecycle import events_and_actions as msg
from services.supervisor.lifecycle.service_states import State
from services.supervisor.plan.probe_spec import Schedule, TcpProbe
from services.supervisor.plan.service_spec import RestartPolicy, StopPlan, StopStep
from tests.ports import free_port
from tests.supervisor.fakes import SCENARIOS, completed, deaf, healthy, oneshot, running, shell, sleeper


async def test_starts_in_order_and_stops_in_reverse(run_dir: Path) -> None:
    """Each service starts once its condition holds, and stops once its dependents are gone."""
    async with running(SCENARIOS["chain"](), run_dir) as mesh:
        await mesh.until(lambda: mesh.machine.ready)
    changes = [(view.name, view.state) for _, view in mesh.supervision.changes.after(0) or ()]
    started = [name for name, state in changes if state in {State.HEALTHY, State.COMPLETED}]
    stopped = [name for name, state in changes if state is State.STOPPED]

    assert ["first", "prepare", "second", "third"] == started
    assert ["third", "second", "first"] == stopped
    assert ["prepared"] == mesh.lines("prepare")
    assert mesh.supervision.startup_ms is not None


async def test_kill_9_is_repaired_at_once(run_dir: Path) -> None:
    """A killed service has a new process without its dependents losing theirs; the counters tell."""
    async with running([sleeper("a"), sleeper("b", healthy("a"))], run_dir) as mesh:
        await mesh.until(lambda: mesh.machine.ready)
        pids = mesh.pid("a"), mesh.pid("b")
        began = time.monotonic()
        os.kill(pids[0], signal.SIGKILL)
        await mesh.until(lambda: mesh.pid("a") not in {0, pids[0]})
        took_s = time.monotonic() - began
        view = mesh.supervision.status("a")
        count = (run_dir / "service/a/restart-count").read_text()
        last = int((run_dir / "service/a/last-restart").read_text())

        assert pids[1] == mesh.pid("b")
        assert (1, "signal SIGKILL", "1\n") == (view.restarts, view.last_exit, count)
        assert view.last_restart_time_ms is not None
        assert last == view.last_restart_time_ms // 1000
        assert took_s < 2


async def test_a_crash_loop_ends_the_mesh_with_its_exit_code(run_dir: Path) -> None:
    """After three restarts the others are stopped and the code is the culprit's."""
    async with running(SCENARIOS["crash"](), run_dir) as mesh:
        assert mesh.task is not None
        async with asyncio.timeout(10):
            exit_code = await mesh.task

    assert 7 == exit_code
    assert ["oh"] * 4 == mesh.lines("crasher")
    assert (State.FAILED, State.STOPPED) == (mesh.state("crasher"), mesh.state("innocent"))
    assert "exit 7 after 3 restarts" == mesh.supervision.status("crasher").message


@pytest.mark.parametrize(("script", "code"), [("exit 0", 1), ("kill -9 $$", 137), ("no-such-program", 127)])
async def test_the_exit_code_of_a_given_up_mesh_is_never_zero(run_dir: Path, script: str, code: int) -> None:
    """A longrun that ends well still fails; a signal is 128 + its number."""
    spec = replace(shell("a", script), policy=RestartPolicy(max_restarts=0))
    async with running([spec], run_dir) as mesh:
        assert mesh.task is not None
        async with asyncio.timeout(10):
            assert code == await mesh.task


async def test_a_oneshot_is_retried_until_it_ends_well(run_dir: Path) -> None:
    """Two failures and a success complete it; who needs it starts after that."""
    script = f"echo x >> {run_dir}/tries; test $(wc -l < {run_dir}/tries) = 3"
    async with running([oneshot("o", script), sleeper("a", completed("o"))], run_dir) as mesh:
        await mesh.until_state("a", State.HEALTHY)

        assert (State.COMPLETED, 2) == (mesh.state("o"), mesh.supervision.status("o").restarts)


async def test_who_ignores_sigterm_is_killed_with_its_children(run_dir: Path) -> None:
    """After the stop timeout the whole group gets SIGKILL."""
    async with running([deaf("a")], run_dir) as mesh:
        await mesh.until_line("a", "deaf")
        family = psutil.Process(mesh.pid("a")).children(recursive=True)
        began = time.monotonic()
    _, alive = psutil.wait_procs(family, timeout=5)

    assert [] == alive
    assert 0.9 < time.monotonic() - began < 8
    assert "signal SIGKILL" == mesh.supervision.status("a").last_exit


async def test_hurry_ends_the_patience(run_dir: Path) -> None:
    """Two more requests kill at once what has a minute to stop."""
    patient = replace(deaf("a"), stop=StopPlan((StopStep(signal.SIGTERM, 60),)))
    async with running([patient], run_dir) as mesh:
        await mesh.until_line("a", "deaf")
        began = time.monotonic()
        for event in (msg.Shutdown("test"), msg.Hurry(), msg.Hurry()):
            mesh.supervision.post(event)
    assert time.monotonic() - began < 2


async def test_a_manual_stop_in_backoff_holds(run_dir: Path) -> None:
    """A service that waits for its restart is stopped for good, until it is started by hand."""
    policy = RestartPolicy(first_delay_s=60, cap_s=60)
    async with running([replace(sleeper("a"), policy=policy), sleeper("b")], run_dir) as mesh:
        await mesh.until_state("a", State.HEALTHY)
        os.kill(mesh.pid("a"), signal.SIGKILL)
        await mesh.until_state("a", State.BACKOFF)
        await mesh.supervision.command(msg.Stop("a"))

        assert State.STOPPED is mesh.state("a")

        await mesh.supervision.command(msg.Start("a"))
        await mesh.until_state("a", State.HEALTHY)

        assert 0 == mesh.supervision.status("a").restarts


async def test_readiness_follows_the_probe(run_dir: Path) -> None:
    """Healthy when the port opens, unhealthy when it closes, and a dependent waits for the first."""
    port = free_port()
    script = f"exec python3 -m http.server --bind 127.0.0.1 {port}"
    schedule = Schedule(period_s=0.05, failure_threshold=2, timeout_s=0.3)
    server = replace(shell("server", script), probe=TcpProbe(port), schedule=schedule, ports=(port,))
    async with running([server, sleeper("b", healthy("server"))], run_dir) as mesh:
        await mesh.until_state("b", State.HEALTHY)

        assert [State.STARTING, State.HEALTHY] == mesh.history("server")

        # A stopped server still accepts connections in the kernel, so its port is closed by its end instead.
        os.kill(mesh.pid("server"), signal.SIGKILL)
        await mesh.until(lambda: mesh.history("server")[-1] is State.HEALTHY and len(mesh.history("server")) > 2)

        assert [State.STARTING, State.HEALTHY, State.BACKOFF, State.STARTING, State.HEALTHY] == mesh.history("server")
        assert [State.PENDING, State.HEALTHY] in (mesh.history("b"), [State.PENDING, *mesh.history("b")])


async def test_a_stopped_process_is_still_stopped_in_order(run_dir: Path) -> None:
    """A service under SIGSTOP is continued for its stop signal, so it need not be killed."""
    async with running([sleeper("a")], run_dir) as mesh:
        await mesh.until_state("a", State.HEALTHY)
        os.kill(mesh.pid("a"), signal.SIGSTOP)
        await mesh.supervision.command(msg.Stop("a"))
        await mesh.until_state("a", State.STOPPED)

    assert "signal SIGTERM" == mesh.supervision.status("a").last_exit


async def test_shutdown_before_anything_started(run_dir: Path) -> None:
    """A signal that comes first means that no process is ever made."""
    async with running([sleeper("a")], run_dir) as mesh:
        mesh.supervision.post(msg.Shutdown("early"))
        assert mesh.task is not None

        assert 0 == await mesh.task
    assert (State.STOPPED, 0) == (mesh.state("a"), mesh.machine.services["a"].run)


async def test_a_finished_mesh_refuses_commands(run_dir: Path) -> None:
    """What is asked for after the end is an error, not a wait."""
    async with running([sleeper("a")], run_dir) as mesh:
        await mesh.until_state("a", State.HEALTHY)
    with pytest.raises(MeshStopping):
        await mesh.supervision.command(msg.Start("a"))
    with pytest.raises(MeshStopping):
        await mesh.supervision.until(lambda: False)


async def test_a_flood_of_output_loses_no_line_and_no_control(run_dir: Path) -> None:
    """Two hundred thousand lines are all in the files, while another service is restarted meanwhile."""
    flood = oneshot("flood", "seq 200000")
    async with running([flood, sleeper("a")], run_dir) as mesh:
        await mesh.until_state("a", State.HEALTHY)
        await mesh.supervision.command(msg.Restart("a"))
        await mesh.until_state("flood", State.COMPLETED)
        await mesh.until_state("a", State.HEALTHY)
    lines = [line.split()[1] for line in (run_dir / "logs/flood.log").read_text().splitlines()]

    assert [str(number) for number in range(1, 200_001)] == lines


async def test_a_hundred_services_start_and_stop(run_dir: Path) -> None:
    """A wide and deep plan comes up and goes down; nothing in it grows with the square."""
    specs = [sleeper(f"s-{n}", *([healthy(f"s-{n - 10}")] if n >= 10 else [])) for n in range(100)]
    async with running(specs, run_dir) as mesh:
        await mesh.until(lambda: mesh.machine.ready, timeout_s=30)
