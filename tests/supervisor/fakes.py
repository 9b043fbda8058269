"""
Small real services, and a real supervisor over them.

    python -m tests.supervisor.fakes SCENARIO RUN_DIR DATA_DIR    supervise the services of a scenario
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

import psutil

from meshkit.clock import Clock, SystemClock
from meshkit.paths import RunDir
from services.supervisor.config import LogSettings, Settings
from services.supervisor.errors import PlanRefused
from services.supervisor.lifecycle.events_and_actions import Shutdown
from services.supervisor.lifecycle.service_states import State
from services.supervisor.lifecycle.state_machine import StateMachine
from services.supervisor.logs.log_collector import LogCollector
from services.supervisor.logs.terminal import Terminal
from services.supervisor.plan.dependency_graph import DependencyGraph
from services.supervisor.plan.mesh_plan import MeshPlan
from services.supervisor.plan.service_spec import (
    Condition,
    Dependency,
    Kind,
    RestartPolicy,
    ServiceSpec,
    StopPlan,
    StopStep,
)
from services.supervisor.process import orphan_killer
from services.supervisor.restart_counters import RestartCounters
from services.supervisor.supervision_loop import SupervisionLoop

ENVIRONMENT = {"PATH": os.environ["PATH"]}
QUICK = RestartPolicy(first_delay_s=0.02, jitter=0)


def shell(name: str, script: str, *needs: Dependency, kind: Kind = Kind.LONGRUN) -> ServiceSpec:
    """Return a service that is a shell script; it stops within a second of SIGTERM or is killed."""
    return ServiceSpec(
        name=name,
        command=("sh", "-c", script),
        kind=kind,
        needs=needs,
        environment=ENVIRONMENT,
        policy=QUICK,
        stop=StopPlan((StopStep(signal.SIGTERM, 1.0),)),
    )


def sleeper(name: str, *needs: Dependency) -> ServiceSpec:
    """Return a longrun that does nothing and dies of SIGTERM."""
    return shell(name, "exec sleep 1000", *needs)


def oneshot(name: str, script: str, *needs: Dependency) -> ServiceSpec:
    """Return a oneshot shell script."""
    return shell(name, script, *needs, kind=Kind.ONESHOT)


def healthy(name: str) -> Dependency:
    """Return the edge that waits for a service to be healthy."""
    return Dependency(name, Condition.HEALTHY)


def completed(name: str) -> Dependency:
    """Return the edge that waits for a oneshot to be completed."""
    return Dependency(name, Condition.COMPLETED)


def deaf(name: str) -> ServiceSpec:
    """Return a service that ignores SIGTERM, and so does its child."""
    return shell(name, "trap '' TERM; echo deaf; while :; do sleep 1000; done")


SCENARIOS: dict[str, Callable[[], list[ServiceSpec]]] = {
    "chain": lambda: [
        sleeper("first"),
        oneshot("prepare", "echo prepared", healthy("first")),
        sleeper("second", completed("prepare")),
        sleeper("third", healthy("second")),
    ],
    "family": lambda: [shell("family", "sleep 1000 & sleep 1000 & exec sleep 1000")],
    "brood": lambda: [shell("mother", "trap '' TERM; sleep 1000 & (setsid sleep 1000 &); wait")],
    "deaf": lambda: [replace(deaf("deaf"), stop=StopPlan((StopStep(signal.SIGTERM, 60.0),)))],
    "flood": lambda: [oneshot("flood", "seq 400000"), sleeper("calm")],
    "init": lambda: [oneshot("init", "echo begin; exec sleep 1000"), sleeper("server", completed("init"))],
    "orphans": lambda: [
        shell("mother", "(sleep 0.1 &); (setsid sleep 1000 &); echo up; exec sleep 1000"),
        sleeper("calm"),
    ],
    "changed": lambda: [
        sleeper("first"),
        replace(sleeper("third"), environment=ENVIRONMENT | {"CHANGED": "1"}),
        sleeper("fourth", healthy("first")),
    ],
    "calm": lambda: [sleeper("calm")],
    "calm and deaf": lambda: [sleeper("calm"), replace(deaf("deaf"), stop=StopPlan((StopStep(signal.SIGTERM, 60.0),)))],
    "crash": lambda: [sleeper("innocent"), shell("crasher", "echo oh; exit 7", healthy("innocent"))],
}


def scenario_specs(scenario: str) -> list[ServiceSpec]:
    """Return the services of a scenario; `port 80` is one that wants that port."""
    if scenario.startswith("port "):
        return [replace(sleeper("wanting"), ports=(int(scenario.removeprefix("port ")),))]
    if scenario not in SCENARIOS:
        raise PlanRefused(f"there is no scenario {scenario!r}")
    return SCENARIOS[scenario]()


class Mesh:
    """A runtime in this process, with its log and its directories."""

    def __init__(
        self, specs: list[ServiceSpec], run_dir: Path, log_dir: Path, output: int, clock: Clock, stop_deadline_s: float
    ) -> None:
        graph = DependencyGraph(specs)
        self.logs = LogCollector(graph.order, LogSettings(log_dir), clock, Terminal(output))
        self.machine = StateMachine(graph, Random(1), stop_deadline_s=stop_deadline_s)
        self.supervision = SupervisionLoop(
            self.machine, self.logs, RestartCounters(RunDir(run_dir).restart_files), clock, set()
        )
        self.task: asyncio.Task[int] | None = None

    def state(self, name: str) -> State:
        """Return a service's state."""
        return self.machine.services[name].state

    def pid(self, name: str) -> int:
        """Return a service's process id, 0 if it has none."""
        return self.supervision.status(name).pid

    async def until(self, condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
        """Wait for a condition on the services."""
        async with asyncio.timeout(timeout_s):
            await self.supervision.until(condition)

    async def until_state(self, name: str, state: State) -> None:
        """Wait for a service's state."""
        await self.until(lambda: self.state(name) is state)

    async def until_line(self, service: str, text: str) -> None:
        """Wait for a line that a service writes."""
        async with asyncio.timeout(10):
            while text not in self.lines(service):
                await self.logs.changed.wait()

    def history(self, name: str) -> list[State]:
        """Return the states a service has shown so far."""
        return [view.state for _, view in self.supervision.changes.after(0) or () if view.name == name]

    def lines(self, service: str) -> list[str]:
        """Return what a service has written."""
        return [line.text for line in self.logs.after({service}, -1)]


@asynccontextmanager
async def running(
    specs: list[ServiceSpec], run_dir: Path, *, clock: Clock | None = None, stop_deadline_s: float = 14.0
) -> AsyncIterator[Mesh]:
    """Run services in this process; at the end they are stopped, and none of their processes may be left."""
    output = os.open(os.devnull, os.O_WRONLY)
    others = psutil.Process().children()
    mesh = Mesh(specs, run_dir, run_dir / "logs", output, clock or SystemClock(), stop_deadline_s)
    mesh.task = asyncio.create_task(mesh.supervision.run())
    try:
        yield mesh
    finally:
        if not mesh.task.done():
            mesh.supervision.post(Shutdown("the test is over"))
        async with asyncio.timeout(20):
            await mesh.task
        mesh.logs.close()
        os.close(output)
    assert psutil.Process().children() == others


@contextmanager
def no_process_left(pids: list[int], timeout_s: float = 5.0) -> Iterator[None]:
    """Assert that these processes are gone soon after the block."""
    processes = [psutil.Process(pid) for pid in pids]
    yield
    _, alive = psutil.wait_procs(processes, timeout=timeout_s)
    for process in alive:
        process.kill()
    assert [] == alive


def _main() -> int:
    from meshkit import log
    from meshkit.process import runtime
    from services.supervisor.app import supervise

    scenario, run_dir, data_dir = sys.argv[1:]
    log.configure("supervisor")
    exit_code = 0

    async def run() -> None:
        nonlocal exit_code
        settings = Settings(RunDir(Path(run_dir)), LogSettings(Path(data_dir) / "logs"))

        async def make_plan(path: Path, owned: set[int]) -> MeshPlan:
            text = path.read_text()
            return MeshPlan(settings, tuple(scenario_specs(text)), text)

        file = Path(data_dir) / "scenario"
        file.parent.mkdir(exist_ok=True)
        file.write_text(scenario)
        exit_code = await supervise(file, make_plan)

    runtime.run(run)
    return exit_code


if __name__ == "__main__":
    sys.exit(orphan_killer.with_orphan_killers(os.environ, _main))
