"""ProcessMetricsService over a real socket."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from sys import executable
from typing import TYPE_CHECKING

import grpc
import pytest
from aiohttp.test_utils import TestServer
from google.protobuf.timestamp_pb2 import Timestamp

from feedmesh.metrics.v1 import process_metrics_service_pb2 as pb
from feedmesh.metrics.v1.process_metrics_service_pb2_grpc import ProcessMetricsServiceStub
from feedmesh.supervisor.v1 import supervisor_service_pb2 as supervisor_pb
from meshkit.clock import SystemClock
from meshkit.push.config import PushConfig
from meshkit.push.page import Page
from meshkit.push.pusher import Pusher
from meshkit.rpc.client import channel, error_info
from meshkit.rpc.server import MeshServer
from services.metrics import service
from services.metrics.collector import Collector
from services.metrics.exposition import render
from services.metrics.families import samples
from services.metrics.host import processes
from services.metrics.supervisor import SupervisorLink
from tests.metrics.fakes import FakeSupervisor, child
from tests.receiver import Receiver

if TYPE_CHECKING:  # exists only in the generated stubs
    from feedmesh.metrics.v1.process_metrics_service_pb2_grpc import ProcessMetricsServiceAsyncStub


@asynccontextmanager
async def serving(run_dir: Path, push_url: str | None = None) -> AsyncIterator["ProcessMetricsServiceAsyncStub"]:
    """Serve on <run_dir>/metrics.sock and give a stub."""
    clock = SystemClock()
    async with SupervisorLink(run_dir / "supervisor.sock") as link:
        collector = Collector(link.plan, processes.read, clock)

        async def measured() -> Sequence[Page]:
            return [Page(render(samples(await collector.collect())).encode())]

        pusher = None
        if push_url is not None:
            pusher = Pusher(PushConfig(push_url, 5000, 5000, {}), measured, clock)
            await pusher.__aenter__()
        server = MeshServer("process-metrics", run_dir / "metrics.sock", drain_s=0)
        server.add(service.register, service.MetricsServicer(collector, pusher, clock), service.NAME)
        async with server, channel(run_dir / "metrics.sock") as opened:
            yield ProcessMetricsServiceStub(opened)
        if pusher is not None:
            await pusher.__aexit__(None, None, None)


async def test_snapshot_carries_every_field(run_dir: Path, supervisor: FakeSupervisor) -> None:
    """Processes and services arrive with their numbers; a first sample has no CPU share."""
    with child() as process:
        restarted = Timestamp(seconds=1_700_000_000, nanos=5_000_000)
        supervisor.says(0, supervisor_pb.Service(name="svc", pid=process.pid, restarts=2, last_restart_time=restarted))
        async with serving(run_dir) as stub:
            snapshot = (await stub.GetSnapshot(pb.GetSnapshotRequest(), timeout=5)).snapshot

    (sample,) = (sample for sample in snapshot.processes if sample.service == "svc")
    assert (sample.pid, sample.process, sample.HasField("cpu_percent")) == (
        process.pid,
        Path(executable).name[:15],
        False,
    )
    assert sample.resident_bytes > 1_000_000
    assert sample.cpu_seconds > 0
    assert list(snapshot.services) == [
        pb.ServiceSample(service="svc", restarts=2, last_restart_time=restarted),
    ]
    assert snapshot.supervisor_up
    assert snapshot.time.seconds > 1_700_000_000


async def test_watch_sends_at_once_and_again(run_dir: Path, supervisor: FakeSupervisor) -> None:
    """A watcher gets a snapshot at once and another after the interval."""
    async with serving(run_dir) as stub:
        call = stub.WatchSnapshot(pb.WatchSnapshotRequest(interval_ms=100), timeout=10)
        times = []
        async for response in call:
            times.append(response.snapshot.time.ToMilliseconds())
            if len(times) == 3:
                break
        call.cancel()

    assert times[1] - times[0] >= 95
    assert times[2] - times[1] >= 95


async def test_short_interval_is_refused(run_dir: Path, supervisor: FakeSupervisor) -> None:
    """An interval under 100 ms is INVALID_ARGUMENT and names the field."""
    async with serving(run_dir) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async for _ in stub.WatchSnapshot(pb.WatchSnapshotRequest(interval_ms=99), timeout=5):
                pass

    info = error_info(caught.value)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert info is not None
    assert (info.metadata["field"], info.metadata["found"]) == ("interval_ms", "99")


async def test_push_without_receiver_is_refused(run_dir: Path, supervisor: FakeSupervisor) -> None:
    """Push without a configured receiver is FAILED_PRECONDITION and says which keys to set."""
    async with serving(run_dir) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Push(pb.PushRequest(), timeout=5)

    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert "solution.metricsPush.enabled" in str(caught.value.details())


async def test_push_tells_how_many_samples(run_dir: Path, supervisor: FakeSupervisor) -> None:
    """Push sends what the page has and answers with the number of samples taken."""
    receiver = Receiver()
    async with TestServer(receiver.app()) as server, serving(run_dir, str(server.make_url("/push"))) as stub:
        response = await stub.Push(pb.PushRequest(), timeout=5)

    lines = [line for line in receiver.received[0].body.splitlines() if not line.startswith("#")]
    assert response.samples == len(lines)
    assert any(f'pid="{os.getpid()}"' in line for line in lines)


async def test_push_refused_is_unavailable(run_dir: Path, supervisor: FakeSupervisor) -> None:
    """A receiver that refuses makes Push UNAVAILABLE."""
    receiver = Receiver(statuses=[401])
    async with TestServer(receiver.app()) as server, serving(run_dir, str(server.make_url("/push"))) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Push(pb.PushRequest(), timeout=5)

    assert (caught.value.code(), caught.value.details()) == (
        grpc.StatusCode.UNAVAILABLE,
        "the receiver answered HTTP 401",
    )
