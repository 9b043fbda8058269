"""ProcessMetricsService: protos to domain and back."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final

import grpc.aio
from google.protobuf.timestamp_pb2 import Timestamp

from feedmesh.metrics.v1 import process_metrics_service_pb2 as pb
from feedmesh.metrics.v1.process_metrics_service_pb2_grpc import (
    ProcessMetricsServiceServicer,
    add_ProcessMetricsServiceServicer_to_server,
)
from meshkit.clock import Clock
from meshkit.errors import InvalidInput
from services.metrics.collector import Collector
from services.metrics.errors import PushNotConfigured
from services.metrics.snapshot import ProcessSample, ServiceSample, Snapshot

if TYPE_CHECKING:
    # Few meshes push, and what does so takes a quarter of the time to load.
    from meshkit.push.pusher import Pusher

NAME: Final = pb.DESCRIPTOR.services_by_name["ProcessMetricsService"].full_name
DEFAULT_INTERVAL_MS: Final = 5000
SHORTEST_INTERVAL_MS: Final = 100

register = add_ProcessMetricsServiceServicer_to_server
Context = grpc.aio.ServicerContext[Any, Any]


class MetricsServicer(ProcessMetricsServiceServicer):
    """Answer ProcessMetricsService."""

    def __init__(self, collector: Collector, pusher: "Pusher | None", clock: Clock) -> None:
        self._collector = collector
        self._pusher = pusher
        self._clock = clock

    async def GetSnapshot(self, request: pb.GetSnapshotRequest, context: Context) -> pb.GetSnapshotResponse:
        """Measure now."""
        return pb.GetSnapshotResponse(snapshot=to_proto(await self._collector.collect()))

    async def WatchSnapshot(
        self, request: pb.WatchSnapshotRequest, context: Context
    ) -> AsyncIterator[pb.WatchSnapshotResponse]:
        """Measure now and then once an interval until the caller goes; raise InvalidInput for a short interval."""
        interval_ms = request.interval_ms or DEFAULT_INTERVAL_MS
        if interval_ms < SHORTEST_INTERVAL_MS:
            raise InvalidInput(
                "interval_ms", interval_ms, f"0 for {DEFAULT_INTERVAL_MS}, or {SHORTEST_INTERVAL_MS} and more"
            )
        while True:
            yield pb.WatchSnapshotResponse(snapshot=to_proto(await self._collector.collect()))
            await self._clock.sleep(interval_ms / 1000)

    async def Push(self, request: pb.PushRequest, context: Context) -> pb.PushResponse:
        """Push now; raise PushNotConfigured or PushRefused."""
        if self._pusher is None:
            raise PushNotConfigured
        return pb.PushResponse(samples=await self._pusher.push())


def to_proto(snapshot: Snapshot) -> pb.Snapshot:
    """Return a snapshot as its message."""
    return pb.Snapshot(
        time=_timestamp(snapshot.time_ms),
        processes=[_process(sample) for sample in snapshot.processes],
        services=[_service(sample) for sample in snapshot.services],
        supervisor_up=snapshot.supervisor_up,
    )


def _process(sample: ProcessSample) -> pb.ProcessSample:
    return pb.ProcessSample(
        service=sample.service,
        process=sample.reading.name,
        pid=sample.reading.pid,
        cpu_percent=sample.cpu_percent,
        cpu_seconds=sample.reading.cpu_s,
        resident_bytes=sample.reading.resident_bytes,
    )


def _service(sample: ServiceSample) -> pb.ServiceSample:
    last = None if sample.last_restart_ms is None else _timestamp(sample.last_restart_ms)
    return pb.ServiceSample(service=sample.service, restarts=sample.restarts, last_restart_time=last)


def _timestamp(time_ms: int) -> Timestamp:
    return Timestamp(seconds=time_ms // 1000, nanos=time_ms % 1000 * 1_000_000)
