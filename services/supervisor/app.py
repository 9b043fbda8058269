"""One supervisor's life: take the run directory, run the mesh, leave nothing."""

import asyncio
import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import SystemRandom

import orjson
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_fixed

from feedmesh.supervisor.v1 import supervisor_service_pb2_grpc as rpc
from meshkit import log
from meshkit.clock import SystemClock
from meshkit.errors import FailedPrecondition
from meshkit.server import MeshServer
from services.supervisor.apply import Applier, Planner, files_of, write_configuration
from services.supervisor.errors import PortInUse
from services.supervisor.events_and_actions import Hurry, Shutdown
from services.supervisor.logs.log_hub import LogHub
from services.supervisor.logs.terminal import Terminal
from services.supervisor.plan.dependency_graph import Graph
from services.supervisor.plan.port_check import check_ports
from services.supervisor.plan.service_states import State
from services.supervisor.plan.settings import Planned, Settings
from services.supervisor.process.reaper import Reaper
from services.supervisor.restart_counters import Counters
from services.supervisor.run_lock import RunLock
from services.supervisor.runtime import Runtime
from services.supervisor.service import NAME, SupervisorService
from services.supervisor.state_machine import Machine

_PREDECESSOR_S = 5.0

_log = log.get_logger("services.supervisor")


async def supervise(planned: Planned, path: Path, planner: Planner) -> int:
    """
    Run the services until they are told to stop or one is given up, and return the exit code.

    `path` is the configuration file and `planner` makes a plan of it again, for a change while the mesh runs. SIGTERM,
    SIGINT, SIGQUIT or SIGHUP begins the ordered stop, a second one hurries it, a third kills. The API answers from
    before the first start until after the last stop. Raises AlreadyRunning, PortInUse or FailedPrecondition before
    anything is started.
    """
    clock = SystemClock()
    graph, settings = Graph(planned.services), planned.settings
    hub = _open_logs(graph, settings)
    counters = Counters(settings.run_dir)
    machine = Machine(graph, SystemRandom(), stop_deadline_s=settings.stop_deadline_s)
    runtime = Runtime(machine, hub, counters, clock)
    lock = RunLock(settings.run_dir, files_of(planned))
    with _signals(runtime), _log_through(hub), lock, Reaper():
        await _check_ports(graph, _PREDECESSOR_S if lock.took_over else 0)
        write_configuration(planned)
        server = MeshServer("supervisor", settings.run_dir.socket("supervisor"), drain_s=0.5)
        applier = Applier(path, settings, runtime, lock, planner)
        server.add(rpc.add_SupervisorServiceServicer_to_server, SupervisorService(runtime, hub, applier), NAME)
        async with server:
            health = asyncio.create_task(_show_health(runtime, server))
            try:
                exit_code = await runtime.run()
            finally:
                await health
                counters.remove()
        if machine.culprit:
            unit = machine.units[machine.culprit]
            said = "".join(f"; it said: {_words(line.text)}" for line in hub.last([machine.culprit], 1))
            problem = f"{machine.culprit} failed: {unit.message}{said}; its log is {hub.path(machine.culprit)}"
            _log.error("mesh_failed", error=problem, failed_service=machine.culprit, exit_code=exit_code)
        else:
            _log.info("mesh_stopped", cause=machine.reason)
    return exit_code


def _words(text: str) -> str:
    """Return what a line of a log says: the error of a structured one, at most 500 characters."""
    try:
        event = orjson.loads(text)
        said = event.get("error") or event["event"]
    except (ValueError, AttributeError, KeyError):
        said = text
    return str(said)[:500]


async def _check_ports(graph: Graph, patience_s: float) -> None:
    """Raise PortInUse if a port stays taken; the services of a killed predecessor need a moment to die with it."""
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type(PortInUse),
        stop=stop_after_delay(patience_s),
        wait=wait_fixed(0.1),
        reraise=True,
    ):
        with attempt:
            check_ports(graph.specs.values())


def _open_logs(graph: Graph, settings: Settings) -> LogHub:
    directory = settings.logs.directory
    try:
        return LogHub(graph.order, settings.logs, SystemClock(), Terminal(sys.stdout.fileno()))
    except OSError as error:
        raise FailedPrecondition(f"solution.mesh.dataDir: {directory} cannot be made: {error.strerror}") from error


@contextmanager
def _signals(runtime: Runtime) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)
    received: list[signal.Signals] = []

    def on_signal(number: signal.Signals) -> None:
        runtime.post(Hurry() if received else Shutdown(f"received {number.name}"))
        received.append(number)

    for number in numbers:
        loop.add_signal_handler(number, on_signal, number)
    yield
    for number in numbers:
        loop.remove_signal_handler(number)


@contextmanager
def _log_through(hub: LogHub) -> Iterator[None]:
    """Send our own log through the hub, since a blocked terminal would block its handler and so the whole loop."""
    handlers = [handler for handler in logging.getLogger().handlers if isinstance(handler, logging.StreamHandler)]
    before = [handler.setStream(hub.stream()) for handler in handlers]
    try:
        yield
    finally:
        for handler, stream in zip(handlers, before, strict=True):
            if stream is not None:
                handler.setStream(stream)
        hub.close()


async def _show_health(runtime: Runtime, server: MeshServer) -> None:
    """Give each service's name in the health service the service's own health."""
    sequence = 0
    shown = dict.fromkeys(runtime.machine.units, False)
    for name in shown:
        await server.set_serving(name, False)
    while not runtime.finished:
        for _, view in runtime.events.after(sequence) or ():
            serving = view.state is State.HEALTHY
            if shown.get(view.name) is not serving:
                shown[view.name] = serving
                await server.set_serving(view.name, serving)
        sequence = runtime.events.last_sequence
        await runtime.events.changed.wait()
