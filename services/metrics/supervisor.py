"""Ask the supervisor which processes there are."""

from pathlib import Path
from types import TracebackType
from typing import Self

import grpc.aio
from google.protobuf.timestamp_pb2 import Timestamp

from feedmesh.supervisor.v1 import supervisor_service_pb2 as pb
from feedmesh.supervisor.v1.supervisor_service_pb2_grpc import SupervisorServiceStub
from meshkit.log import get_logger
from meshkit.rpc.client import channel
from services.metrics.snapshot import Plan, ServiceSample

TIMEOUT_S = 1.0

_log = get_logger(__name__)


class SupervisorLink:
    """Keep one channel to the supervisor open."""

    def __init__(self, socket: Path) -> None:
        self._channel = channel(socket)
        self._stub = SupervisorServiceStub(self._channel)
        self._up: bool | None = None

    async def plan(self) -> Plan | None:
        """Return the services as they are now, or None if the supervisor does not answer within TIMEOUT_S."""
        try:
            response = await self._stub.ListServices(pb.ListServicesRequest(), timeout=TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            if self._up is not False:
                _log.warning("supervisor_unreachable", code=error.code().name, error=error.details())
            self._up = False
            return None
        if not self._up:
            _log.info("supervisor_reached", pid=response.supervisor_pid)
        self._up = True
        return Plan(response.supervisor_pid, tuple(_sample(service) for service in response.services))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._channel.close()


def _sample(service: pb.Service) -> ServiceSample:
    last_restart_ms = _ms(service.last_restart_time) if service.HasField("last_restart_time") else None
    return ServiceSample(service.name, service.pid, service.restarts, last_restart_ms)


def _ms(time: Timestamp) -> int:
    return time.seconds * 1000 + time.nanos // 1_000_000
