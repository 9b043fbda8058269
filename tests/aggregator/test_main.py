"""The service as a process of its own."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from feedmesh.aggregator.v1 import quote_service_pb2 as pb
from feedmesh.aggregator.v1 import quote_service_pb2_grpc as pb_grpc
from meshkit.client import channel
from services.aggregator import service
from tests.aggregator.fakes import NAMES
from tests.aggregator.test_config import SECRETS


def free_port() -> int:
    """Return a port that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Running:
    """A running aggregator."""

    def __init__(self, run_dir: Path, market: str) -> None:
        self.socket = run_dir / "aggregator.sock"
        self.port = free_port()
        self.environment = {
            **os.environ,
            "FEEDMESH_CONFIG": str(run_dir / "configuration.json"),
            "FEEDMESH_RUN_DIR": str(run_dir),
        }
        sources = {name: {"baseUrl": f"{market}/{name}", "ttl": 1000, "refetch": True} for name in NAMES}
        aggregator = {"port": self.port, "sources": sources}
        mesh = {"feeds": ["BTC / USD", "ETH / USD", "EUR / USD"]}
        document = {"solution": {**SECRETS, "priceAggregatorConfig": aggregator, "mesh": mesh}}
        (run_dir / "configuration.json").write_text(json.dumps(document))

    async def start(self) -> asyncio.subprocess.Process:
        """Start the process."""
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.aggregator", env=self.environment, stdout=asyncio.subprocess.PIPE
        )


@pytest.fixture(name="running")
async def _running(run_dir: Path, market: str) -> AsyncIterator[tuple[Running, asyncio.subprocess.Process]]:
    running = Running(run_dir, market)
    process = await running.start()
    yield running, process
    if process.returncode is None:
        process.kill()
    await process.communicate()


async def serving(path: Path) -> None:
    """Return once the service is SERVING."""
    async with channel(path) as opened:
        health = health_pb2_grpc.HealthStub(opened)
        request = health_pb2.HealthCheckRequest(service=service.NAME)
        watch = health.Watch(request, wait_for_ready=True, timeout=30)  # type: ignore[attr-defined]
        async for answer in watch:
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
                return


async def test_it_serves_and_stops(running: tuple[Running, asyncio.subprocess.Process]) -> None:
    """Once healthy every configured feed is answered by both sides from the cache; SIGTERM ends it with 0."""
    aggregator, process = running
    await serving(aggregator.socket)
    async with aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{aggregator.port}/quotes/batch"
        async with session.post(url, json={"data": {"feed": "BTC / USD"}, "meta": {}}) as response:
            said = await response.json()
        async with session.get(f"http://127.0.0.1:{aggregator.port}/metrics") as response:
            metrics = await response.text()
    async with channel(aggregator.socket) as opened:
        stub = pb_grpc.QuoteServiceStub(opened)
        quote = (await stub.GetQuote(pb.GetQuoteRequest(pair=pb.Pair(base="EUR", quote="USD")))).quote
    process.send_signal(signal.SIGTERM)
    code = await asyncio.wait_for(process.wait(), 15)

    assert (200, 3) == (said["statusCode"], len(said["data"]["sources"]))
    assert 'cache_misses_total{source="kraken"} 0.0' in metrics
    assert ["coinbase", "kraken"] == [used.source for used in quote.sources]
    assert 0 == code
    assert not aggregator.socket.exists()


async def test_a_port_in_use_ends_it_with_a_clear_line(run_dir: Path, market: str) -> None:
    """The exit code is 1 and the last line of the log names the port."""
    aggregator = Running(run_dir, market)
    with socket.create_server(("127.0.0.1", aggregator.port)):
        process = await aggregator.start()
        output, _ = await asyncio.wait_for(process.communicate(), 30)

    assert 1 == process.returncode
    assert str(aggregator.port) in json.loads(output.splitlines()[-1])["error"]
