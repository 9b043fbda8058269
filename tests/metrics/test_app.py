"""The whole service as a process."""

import asyncio
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import orjson
from aiohttp.test_utils import TestServer, unused_port
from prometheus_client.parser import text_string_to_metric_families

from feedmesh.metrics.v1 import process_metrics_service_pb2 as pb
from feedmesh.metrics.v1.process_metrics_service_pb2_grpc import ProcessMetricsServiceStub
from feedmesh.supervisor.v1 import supervisor_service_pb2 as supervisor_pb
from meshkit.rpc.client import channel
from tests.metrics.fakes import FakeSupervisor, child
from tests.receiver import Receiver

VECTOR = Path(__file__).parents[1] / "vectors" / "configuration.signed.json"


def write_configuration(directory: Path, port: int, push: dict[str, object] | None = None) -> Path:
    """Write a configuration with the page on that port."""
    document = orjson.loads(VECTOR.read_bytes())
    document["solution"]["mesh"] = {"ports": {"metrics": port}}
    document["solution"].pop("metricsPush", None)
    if push is not None:
        document["solution"]["metricsPush"] = push
    path = directory / "configuration.json"
    path.write_bytes(orjson.dumps(document))
    return path


@asynccontextmanager
async def started(run_dir: Path, configuration: Path | None) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the service's command."""
    environment = os.environ | {"FEEDMESH_RUN_DIR": str(run_dir)}
    environment.pop("FEEDMESH_CONFIG", None)
    if configuration is not None:
        environment["FEEDMESH_CONFIG"] = str(configuration)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.metrics", env=environment, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def until_event(process: asyncio.subprocess.Process, event: str) -> dict[str, object]:
    """Read the log until that event."""
    assert process.stdout is not None
    async with asyncio.timeout(20):
        async for line in process.stdout:
            found: dict[str, object] = orjson.loads(line)
            if found["event"] == event:
                return found
    raise AssertionError(f"the log ended without {event}")


async def page(port: int) -> str:
    """Return the metrics page."""
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/metrics") as response:
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        return await response.text()


async def test_process_serves_page_and_socket(run_dir: Path, tmp_path: Path, supervisor: FakeSupervisor) -> None:
    """The command serves the page and the socket, includes itself, and ends with 0 and no socket on SIGTERM."""
    port = unused_port()
    async with started(run_dir, write_configuration(tmp_path, port)) as process:
        await until_event(process, "listening")
        with child() as service:
            supervisor.says(os.getpid(), supervisor_pb.Service(name="svc", pid=service.pid))
            text = await page(port)
            async with channel(run_dir / "metrics.sock") as opened:
                stub = ProcessMetricsServiceStub(opened)
                snapshot = (await stub.GetSnapshot(pb.GetSnapshotRequest(), timeout=5)).snapshot
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/health") as response:
            health = (response.status, await response.json())
        process.send_signal(signal.SIGTERM)

        assert await asyncio.wait_for(process.wait(), 10) == 0
    listed = set(re.findall(r'chainlink_process_list{service="(.+?)",process=".+?",pid="(\d+)"} 1\n', text))
    assert listed == {
        ("svc", str(service.pid)),
        ("process-metrics", str(process.pid)),
        ("supervisor", str(os.getpid())),
    }
    assert 'chainlink_s6_service_restart_count{service="svc"} 0\n' in text
    assert "feedmesh_supervisor_up 1\n" in text
    assert len(list(text_string_to_metric_families(text))) > 10
    assert process.pid in {sample.pid for sample in snapshot.processes}
    assert health == (200, {"status": "ok"})
    assert not (run_dir / "metrics.sock").exists()


async def test_page_goes_on_without_supervisor(run_dir: Path, tmp_path: Path) -> None:
    """Without a supervisor the page answers, with itself and feedmesh_supervisor_up 0."""
    port = unused_port()
    async with started(run_dir, write_configuration(tmp_path, port)) as process:
        await until_event(process, "listening")
        text = await page(port)

        assert "feedmesh_supervisor_up 0\n" in text
        assert f'pid="{process.pid}"' in text
        assert process.returncode is None


async def test_configured_push_arrives(run_dir: Path, tmp_path: Path, supervisor: FakeSupervisor) -> None:
    """With a receiver configured the process pushes by itself, with the credentials of the configuration."""
    receiver = Receiver()
    async with TestServer(receiver.app()) as server:
        section: dict[str, object] = {
            "enabled": True,
            "url": str(server.make_url("/push")),
            "basicAuth": {"username": "user", "password": "a-password"},
        }
        configuration = write_configuration(tmp_path, unused_port(), section)
        async with started(run_dir, configuration) as process:
            await asyncio.wait_for(receiver.arrived.wait(), 20)
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), 10) == 0

    push = receiver.received[0]
    last = receiver.received[-1]
    assert "feedmesh_metrics_push_successes_total" in last.body
    assert (push.method, push.authorization) == ("PUT", ("user", "a-password"))
    assert 'job="process-metrics"' in push.body
    assert "feedmesh_metrics_push_failures_total{" in push.body


async def test_port_in_use_is_named(run_dir: Path, tmp_path: Path) -> None:
    """A taken port ends the process with 1 and an error that names port, key and service."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with started(run_dir, write_configuration(tmp_path, port)) as process:
            fatal = await until_event(process, "fatal")

            assert await asyncio.wait_for(process.wait(), 10) == 1
    assert str(fatal["error"]).startswith(
        f"port {port} on 127.0.0.1, wanted by process-metrics (solution.mesh.ports.metrics), is in use; "
        f"held by pid {os.getpid()} ("
    )


async def test_missing_configuration_is_named(run_dir: Path) -> None:
    """Without FEEDMESH_CONFIG the process ends with 1 and names the variable."""
    async with started(run_dir, None) as process:
        fatal = await until_event(process, "fatal")

        assert await asyncio.wait_for(process.wait(), 10) == 1
    assert str(fatal["error"]).startswith("FEEDMESH_CONFIG: ")
