"""The composition root: take the run directory, run the mesh, leave nothing."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import SystemRandom

# structlog loads rich, if it is there, for a console format that we do not use: 7 MB.
sys.modules.setdefault("rich", None)  # type: ignore[arg-type]

import orjson  # noqa: E402
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_fixed  # noqa: E402

from feedmesh.supervisor.v1 import supervisor_service_pb2_grpc as rpc  # noqa: E402
from meshkit import log  # noqa: E402
from meshkit.clock import SystemClock  # noqa: E402
from meshkit.errors import FailedPrecondition  # noqa: E402
from meshkit.log import get_logger  # noqa: E402
from meshkit.metrics import RPC_METRICS, Registry  # noqa: E402
from meshkit.process import ports, runtime  # noqa: E402
from meshkit.process.background_tasks import DEATHS, TASK_METRICS, keep_running  # noqa: E402
from meshkit.rpc.server import MeshServer  # noqa: E402
from services.supervisor.apply_configuration import Applier, MakePlan, write_configuration  # noqa: E402
from services.supervisor.config import Settings  # noqa: E402
from services.supervisor.lifecycle.events_and_actions import Hurry, Shutdown  # noqa: E402
from services.supervisor.lifecycle.service_states import State  # noqa: E402
from services.supervisor.lifecycle.state_machine import StateMachine  # noqa: E402
from services.supervisor.logs.log_collector import LogCollector  # noqa: E402
from services.supervisor.logs.terminal import Terminal  # noqa: E402
from services.supervisor.plan.dependency_graph import DependencyGraph  # noqa: E402
from services.supervisor.plan.mesh_plan import MeshPlan  # noqa: E402
from services.supervisor.process import planning_process  # noqa: E402
from services.supervisor.process.orphan_reaper import OrphanReaper  # noqa: E402
from services.supervisor.restart_counters import RestartCounters  # noqa: E402
from services.supervisor.run_dir_lock import RunDirLock  # noqa: E402
from services.supervisor.service import NAME, SupervisorService  # noqa: E402
from services.supervisor.supervision_loop import SupervisionLoop  # noqa: E402

_PREDECESSOR_S = 5.0
_AGGREGATOR = "solution.priceAggregatorConfig."

_log = get_logger(__name__)


def run(path: Path, make_plan: MakePlan = planning_process.make_plan) -> int:
    """Run the mesh of a configuration file until its end and return the exit code."""
    log.configure("supervisor")
    exit_code = 0

    async def main() -> None:
        nonlocal exit_code
        exit_code = await supervise(path, make_plan)

    runtime.run(main)
    return exit_code


async def supervise(path: Path, make_plan: MakePlan) -> int:
    """
    Run the services until they are told to stop or one is given up, and return the exit code.

    `path` is the configuration file; `make_plan` makes a plan of it, again for each change while the mesh runs.
    SIGTERM, SIGINT, SIGQUIT or SIGHUP begins the ordered stop, a second one hurries it, a third kills. The API answers
    from before the first start until after the last stop. Raises PlanRefused, AlreadyRunning, PortInUse or
    FailedPrecondition before anything is started.
    """
    clock = SystemClock()
    owned: set[int] = set()
    plan = await make_plan(path, owned)
    # The aggregator says this of its own settings by itself.
    if vain := {place: why for place, why in plan.without_effect.items() if not place.startswith(_AGGREGATOR)}:
        _log.warning("settings_without_effect", settings=vain)
    if plan.remarks:
        _log.warning("settings_remarks", remarks=list(plan.remarks))
    _log.info("configuration_read", path=str(path), signature=plan.signature)
    if plan.memory_shortage:
        _log.warning("memory_short", found=plan.memory_shortage)
    graph, settings = DependencyGraph(plan.services), plan.settings
    logs = _open_logs(graph, settings)
    counters = RestartCounters(settings.restart_files)
    machine = StateMachine(graph, SystemRandom(), stop_deadline_s=settings.stop_deadline_s)
    supervision = SupervisionLoop(machine, logs, counters, clock, owned)
    lock = RunDirLock(settings.run_dir, plan.files)
    with _signals(supervision), _log_through(logs), lock, OrphanReaper(owned):
        await _check_ports(plan, _PREDECESSOR_S if lock.took_over else 0)
        write_configuration(plan)
        registry = Registry((*RPC_METRICS, *TASK_METRICS))
        server = MeshServer("supervisor", settings.run_dir.socket("supervisor"), registry=registry, drain_s=0.5)
        applier = Applier(path, plan, supervision, lock, lambda file: make_plan(file, owned))
        server.add(rpc.add_SupervisorServiceServicer_to_server, SupervisorService(supervision, logs, applier), NAME)
        async with server:
            _open_to_services(plan)
            health = asyncio.create_task(
                keep_running(
                    "health of services",
                    lambda: _show_health(supervision, server),
                    clock,
                    on_death=lambda _error: registry.counter(DEATHS).labels("health of services").inc(),
                )
            )
            try:
                exit_code = await supervision.run()
            finally:
                await health
                counters.remove()
        if machine.culprit:
            service = machine.services[machine.culprit]
            said = "".join(f"; it said: {_words(line.text)}" for line in logs.last([machine.culprit], 1))
            problem = f"{machine.culprit} failed: {service.message}{said}; its log is {logs.path(machine.culprit)}"
            _log.error("mesh_failed", error=problem, failed_service=machine.culprit, exit_code=exit_code)
        else:
            _log.info("mesh_stopped", cause=machine.reason)
    return exit_code


def _open_to_services(plan: MeshPlan) -> None:
    """Let services with users of their own come to their sockets, and those of our group to ours."""
    run_dir = plan.settings.run_dir
    if plan.has_users:
        run_dir.path.chmod(0o711)
    if plan.group is not None:
        os.chown(run_dir.socket("supervisor"), -1, plan.group)


def _words(text: str) -> str:
    """Return what a line of a log says: the error of a structured one, at most 500 characters."""
    try:
        event = orjson.loads(text)
        said = event.get("error") or event["event"]
    except (ValueError, AttributeError, KeyError):
        said = text
    return str(said)[:500]


async def _check_ports(plan: MeshPlan, patience_s: float) -> None:
    """Raise PortInUse if a port stays taken; the services of a killed predecessor need a moment to die with it."""
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type(ports.PortInUse),
        stop=stop_after_delay(patience_s),
        wait=wait_fixed(0.1),
        reraise=True,
    ):
        with attempt:
            ports.check(plan.ports)


def _open_logs(graph: DependencyGraph, settings: Settings) -> LogCollector:
    directory = settings.logs.directory
    try:
        return LogCollector(graph.order, settings.logs, SystemClock(), Terminal(sys.stdout.fileno()))
    except OSError as error:
        raise FailedPrecondition(f"solution.mesh.dataDir: {directory} cannot be made: {error.strerror}") from error


@contextmanager
def _signals(supervision: SupervisionLoop) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)
    received: list[signal.Signals] = []

    def on_signal(number: signal.Signals) -> None:
        supervision.post(Hurry() if received else Shutdown(f"received {number.name}"))
        received.append(number)

    for number in numbers:
        loop.add_signal_handler(number, on_signal, number)
    yield
    for number in numbers:
        loop.remove_signal_handler(number)


@contextmanager
def _log_through(logs: LogCollector) -> Iterator[None]:
    """Send our own log through the logs, since a blocked terminal would block its handler and so the whole loop."""
    handlers = [handler for handler in logging.getLogger().handlers if isinstance(handler, logging.StreamHandler)]
    before = [handler.setStream(logs.stream()) for handler in handlers]
    try:
        yield
    finally:
        for handler, stream in zip(handlers, before, strict=True):
            if stream is not None:
                handler.setStream(stream)
        logs.close()


async def _show_health(supervision: SupervisionLoop, server: MeshServer) -> None:
    """Give each service's name in the health service the service's own health."""
    sequence = 0
    shown = dict.fromkeys(supervision.machine.services, False)
    for name in shown:
        await server.set_serving(name, False)
    while not supervision.finished:
        for _, status in supervision.changes.after(sequence) or ():
            serving = status.state is State.HEALTHY
            if shown.get(status.name) is not serving:
                shown[status.name] = serving
                await server.set_serving(status.name, serving)
        sequence = supervision.changes.last_sequence
        await supervision.changes.changed.wait()
