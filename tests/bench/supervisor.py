"""
How fast, how small and how quiet the supervisor is.

    python -m tests.bench.supervisor serve DIRECTORY      answer health on the sockets of twenty services
    python -m tests.bench.supervisor supervise DIRECTORY  supervise twenty services that are probed there
"""

import asyncio
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import uvloop

from tests.bench.report import Report, Row

if TYPE_CHECKING:
    from tests.supervisor.fakes import Mesh

_KILLS = 200
_SERVICES = 200
_IDLE_SERVICES = 20
_IDLE_S = 20.0
_LINES = 1_000_000


def run() -> Report:
    """Measure everything; takes about a minute."""
    with tempfile.TemporaryDirectory(prefix="fm", dir="/tmp") as root:
        started_ms, ran_ms = uvloop.run(_kills(Path(root)))
        start_s = uvloop.run(_start(Path(root)))
        lines_per_s = uvloop.run(_lines(Path(root)))
        cpu_percent, rss_mb = _idle(Path(root))
        killers_mb = _killers()
    return Report(
        "supervisor",
        (
            Row("death → new process, p50", _percentile(started_ms, 50), "ms", at_most=10),
            Row("death → new process, p99", _percentile(started_ms, 99), "ms", at_most=50),
            Row("death → the program's first line, p50", _percentile(ran_ms, 50), "ms"),
            Row("death → the program's first line, p99", _percentile(ran_ms, 99), "ms"),
            Row(f"{_SERVICES} services up, each with its first line", start_s, "s", at_most=5),
            Row("log lines through pipe, file and memory", lines_per_s, "lines/s", at_least=100_000),
            Row(f"CPU idle, {_IDLE_SERVICES} services", cpu_percent, "%", at_most=0.5),
            Row("resident memory", rss_mb, "MB", at_most=60),
            Row("resident memory of its two orphan killers (none as PID 1)", killers_mb, "MB"),
        ),
        (f"{_KILLS} kills without backoff", f"{_LINES} lines, all found in the files", f"idle over {_IDLE_S:g} s"),
    )


async def _kills(root: Path) -> tuple[list[float], list[float]]:
    from services.supervisor.plan.service_spec import RestartPolicy
    from tests.supervisor.fakes import running, shell

    policy = RestartPolicy(max_restarts=10**6, first_delay_s=0, jitter=0)
    started_ms, ran_ms = [], []
    async with running([replace(shell("a", "echo up; exec sleep 1000"), policy=policy)], root / "kills") as mesh:
        for number in range(1, _KILLS + 1):
            await _lines_reach(mesh, {"a"}, number)
            pid = mesh.pid("a")
            began = time.perf_counter()
            os.kill(pid, signal.SIGKILL)
            await mesh.until(lambda before=pid: mesh.pid("a") not in {0, before})  # type: ignore[misc]
            started_ms.append((time.perf_counter() - began) * 1000)
            await _lines_reach(mesh, {"a"}, number + 1)
            ran_ms.append((time.perf_counter() - began) * 1000)
    return started_ms, ran_ms


async def _start(root: Path) -> float:
    from tests.supervisor.fakes import running, shell

    specs = [shell(f"s-{number}", "echo up; exec sleep 1000") for number in range(_SERVICES)]
    began = time.perf_counter()
    async with running(specs, root / "start") as mesh:
        await _lines_reach(mesh, {spec.name for spec in specs}, len(specs))
        return time.perf_counter() - began


async def _lines(root: Path) -> float:
    from services.supervisor.lifecycle.service_states import State
    from tests.supervisor.fakes import oneshot, running

    directory = root / "lines"
    async with running([oneshot("flood", f"echo begin; seq {_LINES}")], directory) as mesh:
        await mesh.until_line("flood", "begin")
        began = time.perf_counter()
        await mesh.until(lambda: mesh.state("flood") is State.COMPLETED, timeout_s=120)
        took_s = time.perf_counter() - began
    found = sum(len(file.read_bytes().splitlines()) for file in (directory / "logs").glob("flood.log*"))
    if found != _LINES + 1:
        raise AssertionError(f"{_LINES + 1 - found} lines are lost")
    return _LINES / took_s


def _idle(root: Path) -> tuple[float, float]:
    with _running(root, "serve"), _running(root, "supervise") as supervisor:
        process = psutil.Process(supervisor.pid)
        time.sleep(10)
        if len(process.children()) != _IDLE_SERVICES:
            raise AssertionError(f"{len(process.children())} services run, wanted {_IDLE_SERVICES}")
        before, began = process.cpu_times(), time.perf_counter()
        time.sleep(_IDLE_S)
        after, took_s = process.cpu_times(), time.perf_counter() - began
        used_s = after.user + after.system - before.user - before.system
        return used_s / took_s * 100, process.memory_info().rss / 2**20


def _killers() -> float:
    """Return the memory of the orphan killers alone, as the program starts them: before it loads anything else."""
    script = (
        "import sys; from services.supervisor.process.orphan_killer import with_orphan_killers; "
        "with_orphan_killers({}, lambda: print(flush=True) or len(sys.stdin.read()))"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as outer:
        assert outer.stdout is not None
        outer.stdout.readline()
        process = psutil.Process(outer.pid)
        return sum(killer.memory_info().rss for killer in (process, *process.children())) / 2**20


@contextmanager
def _running(root: Path, what: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "tests.bench.supervisor", what, str(root)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


async def _lines_reach(mesh: "Mesh", services: set[str], count: int) -> None:
    while len(mesh.logs.after(services, -1)) < count:
        await mesh.logs.changed.wait()


def _percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]


async def _serve(root: Path) -> None:
    from meshkit.rpc.server import MeshServer

    async with AsyncExitStack() as stack:
        for number in range(_IDLE_SERVICES):
            await stack.enter_async_context(MeshServer(f"s-{number}", root / f"s-{number}.sock"))
        stopped = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
        await stopped.wait()


def _supervise(root: Path) -> int:
    from meshkit.paths import RunDir
    from services.supervisor import app
    from services.supervisor.config import LogSettings, Settings
    from services.supervisor.plan.mesh_plan import MeshPlan
    from services.supervisor.plan.probe_spec import GrpcProbe, Schedule
    from services.supervisor.plan.service_spec import ServiceSpec

    def spec(number: int) -> ServiceSpec:
        socket = root / f"s-{number}.sock"
        return ServiceSpec(
            name=f"s-{number}",
            command=("sleep", "1000"),
            environment={"PATH": os.environ["PATH"]},
            probe=GrpcProbe(socket),
            schedule=Schedule(period_s=8, failure_threshold=2),
            liveness=GrpcProbe(socket, any_answer=True),
            liveness_schedule=Schedule(period_s=15, timeout_s=5),
        )

    async def make_plan(_: Path, owned: set[int]) -> MeshPlan:
        settings = Settings(RunDir(root / "run"), LogSettings(root / "logs"))
        return MeshPlan(settings, tuple(spec(number) for number in range(_IDLE_SERVICES)))

    return app.run(root, make_plan)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        uvloop.run(_serve(Path(sys.argv[2])))
    else:
        sys.exit(_supervise(Path(sys.argv[2])))
