"""SupervisorService: messages to the supervision loop and back."""

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
from services.supervisor.apply_configuration import Applier
from services.supervisor.lifecycle import events_and_actions as msg
from services.supervisor.lifecycle.managed_service import ManagedService
from services.supervisor.lifecycle.service_states import State
from services.supervisor.logs.lines import Line
from services.supervisor.logs.log_collector import SUPERVISOR, LogCollector
from services.supervisor.logs.log_history import LogHistory
from services.supervisor.plan.plan_difference import Change
from services.supervisor.plan.probe_spec import in_words
from services.supervisor.plan.service_spec import ServiceSpec
from services.supervisor.state_changes import ServiceStatus
from services.supervisor.supervision_loop import SupervisionLoop

NAME = "feedmesh.supervisor.v1.SupervisorService"
_DEFAULT_LINES = 100

Context = grpc.aio.ServicerContext[Any, Any]


class SupervisorService(rpc.SupervisorServiceServicer):
    """Every rpc of the proto; the errors and promises are described there."""

    def __init__(self, supervision: SupervisionLoop, logs: LogCollector, applier: Applier) -> None:
        self._supervision = supervision
        self._logs = logs
        self._applier = applier

    async def ListServices(self, request: pb.ListServicesRequest, context: Context) -> pb.ListServicesResponse:
        """Return every service in start order."""
        return pb.ListServicesResponse(services=self._services(), supervisor_pid=os.getpid())

    async def GetService(self, request: pb.GetServiceRequest, context: Context) -> pb.GetServiceResponse:
        """Return one service."""
        self._managed(request.name)
        return pb.GetServiceResponse(service=self._service(request.name))

    async def StartService(self, request: pb.StartServiceRequest, context: Context) -> pb.StartServiceResponse:
        """Start a service that is down."""
        self._managed(request.name)
        await self._supervision.command(msg.Start(request.name))
        return pb.StartServiceResponse(service=self._service(request.name))

    async def StopService(self, request: pb.StopServiceRequest, context: Context) -> pb.StopServiceResponse:
        """Stop a service and wait for its end."""
        service = self._managed(request.name)
        run = service.run
        await self._supervision.command(msg.Stop(request.name))
        await self._supervision.until(lambda: not service.alive or service.run != run)
        return pb.StopServiceResponse(service=self._service(request.name))

    async def RestartService(self, request: pb.RestartServiceRequest, context: Context) -> pb.RestartServiceResponse:
        """Replace a service's process and wait for the new one."""
        service = self._managed(request.name)
        run = service.run
        await self._supervision.command(msg.Restart(request.name))
        # Somebody else may stop it meanwhile: then there will be no new process.
        await self._supervision.until(lambda: service.run != run or service.state is State.STOPPED)
        return pb.RestartServiceResponse(service=self._service(request.name))

    async def SignalService(self, request: pb.SignalServiceRequest, context: Context) -> pb.SignalServiceResponse:
        """Send a signal to a service's process group."""
        self._managed(request.name)
        if request.signal not in signal.Signals.__members__:
            raise InvalidInput("signal", request.signal, "a POSIX name such as SIGHUP")
        if not self._supervision.signal(request.name, signal.Signals[request.signal]):
            raise FailedPrecondition(f"{request.name} has no process")
        return pb.SignalServiceResponse()

    async def WatchServices(
        self, request: pb.WatchServicesRequest, context: Context
    ) -> AsyncIterator[pb.WatchServicesResponse]:
        """Send all states, or what came after the client's last sequence, and then every change."""
        events = self._supervision.changes
        sequence = request.after_sequence
        changes = events.after(sequence) if sequence else None
        while True:
            if changes is None:
                sequence = events.last_sequence
                for service in self._services():
                    yield pb.WatchServicesResponse(sequence=sequence, service=service, snapshot=True)
            else:
                for number, status in changes:
                    yield pb.WatchServicesResponse(sequence=number, service=_service(status), removed=status.removed)
                    sequence = number
            if sequence == events.last_sequence:
                if self._supervision.finished:
                    return
                await events.changed.wait()
            changes = events.after(sequence)

    async def TailLogs(self, request: pb.TailLogsRequest, context: Context) -> AsyncIterator[pb.TailLogsResponse]:
        """Send the last lines and, if asked to, the new ones."""
        names = set(request.services)
        for name in names - {SUPERVISOR}:
            self._managed(name)
        number = self._logs.last_number
        since_ms = request.since.ToMilliseconds() if request.HasField("since") else 0
        text = request.contains.casefold()

        def wanted(line: Line) -> bool:
            return line.time_ms >= since_ms and text in line.text.casefold()

        count = request.lines or _DEFAULT_LINES
        lines = list(filter(wanted, self._logs.after(names, -1)))[-count:]
        if since_ms and len(lines) < count:
            with LogHistory(self._logs, names or self._logs.services) as history:
                lines = await asyncio.to_thread(history.read, since_ms, wanted, count - len(lines)) + lines
        while True:
            for line in lines:
                yield pb.TailLogsResponse(line=_line(line))
            if not request.follow or (self._supervision.finished and number == self._logs.last_number):
                return
            if number == self._logs.last_number:
                await self._logs.changed.wait()
            lines, number = list(filter(wanted, self._logs.after(names, number))), self._logs.last_number

    async def GetPlan(self, request: pb.GetPlanRequest, context: Context) -> pb.GetPlanResponse:
        """Return the waves of the plan."""
        graph = self._supervision.machine.graph
        waves = [pb.Wave(services=[_planned(graph.specs[name]) for name in wave]) for wave in graph.waves]
        return pb.GetPlanResponse(waves=waves)

    async def WaitReady(self, request: pb.WaitReadyRequest, context: Context) -> pb.WaitReadyResponse:
        """Wait until every service is healthy or completed."""
        machine = self._supervision.machine
        await self._supervision.until(lambda: machine.ready or machine.stopping)
        if machine.stopping:
            raise FailedPrecondition(machine.reason)
        return pb.WaitReadyResponse(startup_ms=self._supervision.startup_ms or 0)

    async def ApplyConfiguration(
        self, request: pb.ApplyConfigurationRequest, context: Context
    ) -> pb.ApplyConfigurationResponse:
        """Change the mesh to what a configuration file says."""
        path = Path(request.path) if request.path else None
        if path is not None and (not path.is_absolute() or "\0" in request.path):
            raise InvalidInput("path", request.path, "an absolute path")
        applied = await self._applier.apply(path, dry_run=request.dry_run)
        return pb.ApplyConfigurationResponse(
            changes=map(_change, applied.difference.changes),
            keys=applied.difference.keys,
            consequences=applied.consequences,
        )

    async def Shutdown(self, request: pb.ShutdownRequest, context: Context) -> pb.ShutdownResponse:
        """Begin the ordered stop; a stop that goes on already is not hurried."""
        if not self._supervision.machine.stopping:
            await self._supervision.command(msg.Shutdown(request.reason or "asked for through the API"))
        return pb.ShutdownResponse()

    def _managed(self, name: str) -> ManagedService:
        service = self._supervision.machine.services.get(name)
        if service is None:
            raise NotFound("service", name)
        return service

    def _service(self, name: str) -> pb.Service:
        return _service(self._supervision.status(name))

    def _services(self) -> list[pb.Service]:
        return [self._service(name) for name in self._supervision.machine.services]


def _service(status: ServiceStatus) -> pb.Service:
    return pb.Service(
        name=status.name,
        kind=pb.ServiceKind.ValueType(status.kind),
        state=pb.ServiceState.ValueType(status.state),
        pid=status.pid,
        restarts=status.restarts,
        start_time=_time(status.start_time_ms),
        last_restart_time=_time(status.last_restart_time_ms),
        last_exit=status.last_exit,
        message=status.message,
        hangs=status.hangs,
        runtime=status.runtime,
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
    kind = pb.ChangeKind.ValueType(change.kind)
    return pb.ServiceChange(name=change.name, kind=kind, fields=change.fields, keys=change.keys)


def _line(line: Line) -> pb.LogLine:
    return pb.LogLine(service=line.service, time=_time(line.time_ms), text=line.text)


def _time(time_ms: int | None) -> Timestamp | None:
    if time_ms is None:
        return None
    return Timestamp(seconds=time_ms // 1000, nanos=time_ms % 1000 * 1_000_000)
