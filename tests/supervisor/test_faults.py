"""
What goes wrong with real processes, and how each ends.

Every test runs inside `running`, which fails if any process is left. `make campaign` repeats them with everything at
once.
"""

import asyncio
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from random import Random

import psutil
import pytest

from services.supervisor.lifecycle import events_and_actions as msg
from services.supervisor.lifecycle.ordered_stop import KILL_WAIT_S
from services.supervisor.lifecycle.service_states import State
from services.supervisor.plan.probe_spec import HttpProbe, Schedule, TcpProbe
from services.supervisor.plan.service_spec import RestartPolicy, ServiceSpec, StopPlan, StopStep
from services.supervisor.process.probe_watch import SLOW_START
from tests.ports import free_port
from tests.supervisor.fakes import deaf, healthy, oneshot, running, shell, sleeper
from tests.waiting import until

FAST = Schedule(period_s=0.1, timeout_s=0.3, failure_threshold=2)


def server(name: str) -> ServiceSpec:
    """Return a web server that is probed for readiness and for liveness."""
    port = free_port()
    return replace(
        shell(name, ""),
        command=(sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)),
        probe=TcpProbe(port),
        schedule=FAST,
        liveness=HttpProbe(port, "/", any_answer=True),
        liveness_schedule=FAST,
    )


async def test_a_stopped_process_is_found_killed_and_replaced(run_dir: Path) -> None:
    """Under SIGSTOP a port still accepts, so readiness sees nothing; liveness does, and it counts as a crash."""
    async with running([server("web"), sleeper("b", healthy("web"))], run_dir) as mesh:
        await mesh.until(lambda: mesh.machine.ready)
        pid, neighbour = mesh.pid("web"), mesh.pid("b")
        # The first liveness look must have succeeded, or the process counts as one that still starts.
        await until(lambda: any('"GET / HTTP/1.1" 200' in line for line in mesh.lines("web")), "a look at liveness")
        os.kill(pid, signal.SIGSTOP)
        await mesh.until(lambda: mesh.pid("web") not in {0, pid} and mesh.machine.ready, timeout_s=20)
        view = mesh.supervision.status("web")

        assert (1, 1) == (view.restarts, view.hangs)
        assert "signal SIGKILL (hung: no answer within 0.3 s)" == view.last_exit
        assert neighbour == mesh.pid("b")


async def test_a_slow_start_is_explained_and_left_alone(run_dir: Path) -> None:
    """However often liveness was asked in vain before its first answer, the process lives and becomes healthy."""
    looks, loaded = [0], asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        looks[0] += (await reader.readline()).startswith(b"GET /alive")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" if loaded.is_set() else b"still loading\r\n\r\n")
        writer.close()

    often = Schedule(first_period_s=0.02, starting_period_s=0.02)
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as web:
        port = web.sockets[0].getsockname()[1]
        spec = replace(
            sleeper("a"),
            probe=HttpProbe(port, "/ready"),
            schedule=often,
            liveness=HttpProbe(port, "/alive", any_answer=True),
            liveness_schedule=often,
        )
        async with running([spec], run_dir) as mesh:
            await until(lambda: looks[0] > SLOW_START + 5, "looks at liveness")
            await until(lambda: "still loading" in mesh.supervision.status("a").message, "an explanation")
            pid = mesh.pid("a")
            loaded.set()
            await mesh.until_state("a", State.HEALTHY)
            status = mesh.supervision.status("a")

            assert (0, 0, pid) == (status.restarts, status.hangs, mesh.pid("a"))


async def test_a_longrun_that_ends_well_is_restarted(run_dir: Path) -> None:
    """Exit 0 of a longrun is a crash: it has a budget, and the exit code in the end is 1."""
    async with running([shell("a", "exit 0"), sleeper("b")], run_dir) as mesh:
        assert mesh.task is not None

        assert 1 == await asyncio.wait_for(mesh.task, 10)
    assert (State.FAILED, 3) == (mesh.state("a"), mesh.supervision.status("a").restarts)


async def test_a_bounded_fork_bomb_ends_with_its_service(run_dir: Path) -> None:
    """A hundred processes in three generations are gone with one stop."""
    script = "f() { [ $1 = 0 ] || { f $(($1-1)) & f $(($1-1)) & }; sleep 1000; }; f 5 & echo up; exec sleep 1000"
    async with running([shell("bomb", script)], run_dir) as mesh:
        await mesh.until_line("bomb", "up")
        leader = psutil.Process(mesh.pid("bomb"))
        await until(lambda: len(leader.children(recursive=True)) > 100, "the bomb has exploded")
        family = leader.children(recursive=True)
        await mesh.supervision.command(msg.Stop("bomb"))
        await mesh.until_state("bomb", State.STOPPED)
        _, alive = psutil.wait_procs(family, timeout=5)

        assert [] == alive


async def test_a_child_without_output_is_no_concern(run_dir: Path) -> None:
    """It closes its output and stays healthy; its end is seen, its successor's output is read."""
    script = f"echo up $$; exec >&- 2>&-; while [ ! -e {run_dir}/go ]; do sleep 0.02; done; rm {run_dir}/go; exit 4"
    async with running([shell("a", script)], run_dir) as mesh:
        first = mesh.pid("a")
        await mesh.until(lambda: len(mesh.lines("a")) == 1 or mesh.pid("a") != first)
        (run_dir / "go").touch()
        await until(lambda: len(mesh.lines("a")) == 2, "the second process writes")

        assert "exit 4" == mesh.supervision.status("a").last_exit


async def test_lines_of_a_megabyte_are_cut(run_dir: Path) -> None:
    """They cost no memory and no other line."""
    script = "for i in 1 2 3; do head -c 1000000 /dev/zero | tr '\\0' x; echo; echo short; done"
    async with running([oneshot("long", script)], run_dir) as mesh:
        await mesh.until_state("long", State.COMPLETED)
    lines = mesh.lines("long")

    assert [16_384, 5] * 3 == [len(line) for line in lines]
    assert all(line.endswith("x [cut]") for line in lines[::2])


async def test_ten_thousand_lines_a_second_cost_no_restart_time(run_dir: Path) -> None:
    """While one service writes without pause, a killed one is back in a moment, and no line is lost."""
    script = "for i in $(seq 20); do seq 1000; sleep 0.05; done"
    async with running([oneshot("loud", script), sleeper("a")], run_dir) as mesh:
        await mesh.until(lambda: mesh.pid("a") > 0)
        pid = mesh.pid("a")
        began = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        await mesh.until(lambda: mesh.pid("a") not in {0, pid})
        took_s = time.monotonic() - began
        await mesh.until_state("loud", State.COMPLETED)
    written = [line.split()[1] for line in (run_dir / "logs/loud.log").read_text().splitlines()]

    assert [str(number) for number in range(1, 1001)] * 20 == written
    assert took_s < 2


async def test_a_stop_during_a_oneshot_ends_it(run_dir: Path) -> None:
    """What waits for it is never started, and the exit code is 0."""
    async with running(
        [oneshot("init", "echo begin; exec sleep 1000"), sleeper("b", healthy("a")), sleeper("a")], run_dir
    ) as mesh:
        await mesh.until_line("init", "begin")
        mesh.supervision.post(msg.Shutdown("test"))
        assert mesh.task is not None

        assert 0 == await asyncio.wait_for(mesh.task, 10)
    assert State.STOPPED is mesh.state("init")


async def test_what_hangs_at_its_stop_is_killed_within_the_deadline(run_dir: Path) -> None:
    """Three that ignore their signal, in a row, cost no more than the one deadline."""
    patient = StopPlan((StopStep(signal.SIGTERM, 60.0),), reserve_s=0.5)
    specs = [replace(deaf("a"), stop=patient)]
    specs += [replace(deaf(name), stop=patient, needs=(healthy(before),)) for before, name in ("ab", "bc")]
    async with running(specs, run_dir, stop_deadline_s=3.0) as mesh:
        for name in "abc":
            await mesh.until_line(name, "deaf")
        began = time.monotonic()
    assert time.monotonic() - began < 3.0 + KILL_WAIT_S + 1


async def test_jumps_of_the_wall_clock_change_nothing(run_dir: Path) -> None:
    """Backoff, stop and probes go by the monotonic clock; only what is shown to people follows the wall."""

    class Jumping:
        """A clock whose wall time goes back and forth by years."""

        def __init__(self) -> None:
            self._random = Random(1)

        def time_ms(self) -> int:
            return self._random.randrange(0, 4 * 10**12)

        def monotonic(self) -> float:
            return time.monotonic()

        async def sleep(self, seconds: float) -> None:
            await asyncio.sleep(seconds)

    async with running([server("web"), sleeper("b", healthy("web"))], run_dir, clock=Jumping()) as mesh:
        for _ in range(3):
            await mesh.until(lambda: mesh.machine.ready)
            before = mesh.pid("web")
            os.kill(before, signal.SIGKILL)
            await mesh.until(lambda pid=before: mesh.pid("web") not in {0, pid})  # type: ignore[misc]
        await mesh.until(lambda: mesh.machine.ready)

        assert 3 == mesh.supervision.status("web").restarts


@pytest.mark.campaign
@pytest.mark.timeout(600)
async def test_campaign_of_everything_at_once(run_dir: Path) -> None:
    """For five minutes services are killed, stopped, restarted and frozen at random; in the end all are healthy."""
    random = Random(int(os.environ.get("SEED", "1")))
    policy = RestartPolicy(max_restarts=10**6, first_delay_s=0.02, cap_s=0.1)
    specs = [replace(server(f"web-{n}"), policy=policy) for n in range(4)]
    specs += [replace(sleeper(f"s-{n}", healthy(f"web-{n % 4}")), policy=policy) for n in range(8)]
    async with running(specs, run_dir) as mesh:
        await mesh.until(lambda: mesh.machine.ready, 30)
        end = time.monotonic() + 300
        while time.monotonic() < end:
            name = random.choice(specs).name
            match random.choice(["kill", "freeze", "restart", "stop"]):
                case "kill" if mesh.pid(name):
                    os.kill(mesh.pid(name), signal.SIGKILL)
                case "freeze" if mesh.pid(name) and name.startswith("web"):
                    os.kill(mesh.pid(name), signal.SIGSTOP)
                case "restart":
                    await mesh.supervision.command(msg.Restart(name))
                case "stop":
                    await mesh.supervision.command(msg.Stop(name))
                    await mesh.supervision.command(msg.Start(name))
            await asyncio.sleep(random.uniform(0, 0.5))
        await mesh.until(lambda: mesh.machine.ready, 60)
