"""SupervisorService: protos to the runtime and back."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc.aio
from google.protobuf.timestamp_pb2 import Timestamp

from feedmesh.supervisor.v1 import supervisor_service_pb2 as pb
from feedmesh.supervisor.v1 import supervisor_service_pb2_grpc as rpc
from meshkit.errors import FailedPrecondition, InvalidInput, NotFound
from services.supervisor import events_and_actions as msg
from services.supervisor import state_machine as m
from services.supervisor.apply import Applier
from services.supervisor.event_log import View
from services.supervisor.logs.log_history import History
from services.supervisor.logs.log_hub import SUPERVISOR, Line, LogHub
from services.supervisor.plan.plan_difference import Change
from services.supervisor.plan.service_spec import ServiceSpec
from services.supervisor.plan.service_states import State
from services.supervisor.process.probes import in_words
from services.supervisor.runtime import Runtime

NAME = "feedmesh.supervisor.v1.SupervisorService"
_DEFAULT_LINES = 100

Context = grpc.aio.ServicerContext[Any, Any]


class SupervisorService(rpc.SupervisorServiceServicer):
    """Every rpc of the proto; the errors and promises are described there."""

    def __init__(self, runtime: Runtime, hub: LogHub, applier: Applier) -> None:
        self._runtime = runtime
        self._hub = hub
        self._applier = applier

    async def ListServices(self, request: pb.ListServicesRequest, context: Context) -> pb.ListServicesResponse:
        """Return every service in start order."""
        return pb.ListServicesResponse(services=self._services(), supervisor_pid=os.getpid())

    async def GetService(self, request: pb.GetServiceRequest, context: Context) -> pb.GetServiceResponse:
        """Return one service."""
        self._unit(request.name)
        return pb.GetServiceResponse(service=self._service(request.name))

    async def StartService(self, request: pb.StartServiceRequest, context: Context) -> pb.StartServiceResponse:
        """Start a service that is down."""
        self._unit(request.name)
        await self._runtime.command(msg.Start(request.name))
        return pb.StartServiceResponse(service=self._service(request.name))

    async def StopService(self, request: pb.StopServiceRequest, context: Context) -> pb.StopServiceResponse:
        """Stop a service and wait for its end."""
        unit = self._unit(request.name)
        run = unit.run
        await self._runtime.command(msg.Stop(request.name))
        await self._runtime.until(lambda: not unit.alive or unit.run != run)
        return pb.StopServiceResponse(service=self._service(request.name))

    async def RestartService(self, request: pb.RestartServiceRequest, context: Context) -> pb.RestartServiceResponse:
        """Replace a service's process and wait for the new one."""
        unit = self._unit(request.name)
        run = unit.run
        await self._runtime.command(msg.Restart(request.name))
        # Somebody else may stop it meanwhile: then there will be no new process.
        await self._runtime.until(lambda: unit.run != run or unit.state is State.STOPPED)
        return pb.RestartServiceResponse(service=self._service(request.name))

    async def SignalService(self, request: pb.SignalServiceRequest, context: Context) -> pb.SignalServiceResponse:
        """Send a signal to a service's process group."""
        self._unit(request.name)
        if request.signal not in signal.Signals.__members__:
            raise InvalidInput("signal", request.signal, "a POSIX name such as SIGHUP")
        if not self._runtime.signal(request.name, signal.Signals[request.signal]):
            raise FailedPrecondition(f"{request.name} has no process")
        return pb.SignalServiceResponse()

    async def WatchServices(
        self, request: pb.WatchServicesRequest, context: Context
    ) -> AsyncIterator[pb.WatchServicesResponse]:
        """Send all states, or what came after the client's last sequence, and then every change."""
        events = self._runtime.events
        sequence = request.after_sequence
        changes = events.after(sequence) if sequence else None
        while True:
            if changes is None:
                sequence = events.last_sequence
                for service in self._services():
                    yield pb.WatchServicesResponse(sequence=sequence, service=service, snapshot=True)
            else:
                for number, view in changes:
                    yield pb.WatchServicesResponse(sequence=number, service=_service(view))
                    sequence = number
            if sequence == events.last_sequence:
                if self._runtime.finished:
                    return
                await events.changed.wait()
            changes = events.after(sequence)

    async def TailLogs(self, request: pb.TailLogsRequest, context: Context) -> AsyncIterator[pb.TailLogsResponse]:
        """Send the last lines and, if asked to, the new ones."""
        names = set(request.services)
        for name in names - {SUPERVISOR}:
            self._unit(name)
        number = self._hub.last_number
        since_ms = request.since.ToMilliseconds() if request.HasField("since") else 0
        text = request.contains.casefold()

        def wanted(line: Line) -> bool:
            return line.time_ms >= since_ms and text in line.text.casefold()

        count = request.lines or _DEFAULT_LINES
        lines = list(filter(wanted, self._hub.after(names, -1)))[-count:]
        if since_ms and len(lines) < count:
            with History(self._hub, names or self._hub.services) as history:
                lines = await asyncio.to_thread(history.read, since_ms, wanted, count - len(lines)) + lines
        while True:
            for line in lines:
                yield pb.TailLogsResponse(line=_line(line))
            if not request.follow or (self._runtime.finished and number == self._hub.last_number):
                return
            if number == self._hub.last_number:
                await self._hub.changed.wait()
            lines, number = list(filter(wanted, self._hub.after(names, number))), self._hub.last_number

    async def GetPlan(self, request: pb.GetPlanRequest, context: Context) -> pb.GetPlanResponse:
        """Return the waves of the plan."""
        graph = self._runtime.machine.graph
        waves = [pb.Wave(services=[_planned(graph.specs[name]) for name in wave]) for wave in graph.waves]
        return pb.GetPlanResponse(waves=waves)

    async def WaitReady(self, request: pb.WaitReadyRequest, context: Context) -> pb.WaitReadyResponse:
        """Wait until every service is healthy or completed."""
        machine = self._runtime.machine

        def lost() -> list[str]:
            return [name for name, unit in machine.units.items() if unit.state in {State.FAILED, State.SKIPPED}]

        await self._runtime.until(lambda: machine.ready or machine.stopping or bool(lost()))
        if lost() or machine.stopping:
            raise FailedPrecondition(machine.reason or f"given up: {', '.join(lost())}")
        return pb.WaitReadyResponse(startup_ms=self._runtime.startup_ms or 0)

    async def ApplyConfiguration(
        self, request: pb.ApplyConfigurationRequest, context: Context
    ) -> pb.ApplyConfigurationResponse:
        """Change the mesh to what a configuration file says."""
        path = Path(request.path) if request.path else None
        if path is not None and not path.is_absolute():
            raise InvalidInput("path", request.path, "an absolute path")
        changes = await self._applier.apply(path, dry_run=request.dry_run)
        return pb.ApplyConfigurationResponse(changes=map(_change, changes))

    async def Shutdown(self, request: pb.ShutdownRequest, context: Context) -> pb.ShutdownResponse:
        """Begin the ordered stop; a stop that goes on already is not hurried."""
        if not self._runtime.machine.stopping:
            await self._runtime.command(msg.Shutdown(request.reason or "asked for through the API"))
        return pb.ShutdownResponse()

    def _unit(self, name: str) -> m.Unit:
        unit = self._runtime.machine.units.get(name)
        if unit is None:
            raise NotFound("service", name)
        return unit

    def _service(self, name: str) -> pb.Service:
        return _service(self._runtime.view(name))

    def _services(self) -> list[pb.Service]:
        return [self._service(name) for name in self._runtime.machine.graph.order]


def _service(view: View) -> pb.Service:
    return pb.Service(
        name=view.name,
        kind=pb.ServiceKind.ValueType(view.kind),
        state=pb.ServiceState.ValueType(view.state),
        pid=view.pid,
        restarts=view.restarts,
        start_time=_time(view.start_time_ms),
        last_restart_time=_time(view.last_restart_time_ms),
        last_exit=view.last_exit,
        message=view.message,
        hangs=view.hangs,
    )


def _planned(spec: ServiceSpec) -> pb.PlannedService:
    return pb.PlannedService(
        name=spec.name,
        kind=pb.ServiceKind.ValueType(spec.kind),
        command=spec.command,
        dependencies=[
            pb.Dependency(name=edge.name, condition=pb.Condition.ValueType(edge.condition)) for edge in spec.needs
        ],
        ports=spec.ports,
        user="" if spec.identity is None else f"{spec.identity.uid}:{spec.identity.gid}",
        readiness="" if spec.probe is None else in_words(spec.probe),
        liveness="" if spec.liveness is None else in_words(spec.liveness),
    )


def _change(change: Change) -> pb.ServiceChange:
    return pb.ServiceChange(name=change.name, kind=pb.ChangeKind.ValueType(change.kind), fields=change.fields)


def _line(line: Line) -> pb.LogLine:
    return pb.LogLine(service=line.service, time=_time(line.time_ms), text=line.text)


def _time(time_ms: int | None) -> Timestamp | None:
    if time_ms is None:
        return None
    return Timestamp(seconds=time_ms // 1000, nanos=time_ms % 1000 * 1_000_000)
