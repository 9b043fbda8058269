"""The service as a process of its own."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from grpc_health.v1 import health_pb2, health_pb2_grpc

from feedmesh.aggregator.v1 import quote_service_pb2 as pb
from feedmesh.aggregator.v1 import quote_service_pb2_grpc as pb_grpc
from meshkit.rpc.client import channel
from services.aggregator import service
from tests.aggregator.test_config import SECRETS
from tests.ports import free_port


class Running:
    """An aggregator with these sources and configured feeds."""

    def __init__(self, run_dir: Path, sources: Mapping[str, Any], feeds: Sequence[str] = ()) -> None:
        self.socket = run_dir / "aggregator.sock"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = {
            **os.environ,
            "FEEDMESH_CONFIG": str(run_dir / "configuration.json"),
            "FEEDMESH_RUN_DIR": str(run_dir),
        }
        aggregator = {"port": self.port, "sources": sources}
        document = {"solution": {**SECRETS, "priceAggregatorConfig": aggregator, "mesh": {"feeds": feeds}}}
        (run_dir / "configuration.json").write_text(json.dumps(document))

    @asynccontextmanager
    async def process(self) -> AsyncIterator[asyncio.subprocess.Process]:
        """Start the process, and have it ended in the end."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.aggregator", env=self._environment, stdout=asyncio.subprocess.PIPE
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            if process.stdout is not None and not process.stdout.at_eof():
                await process.communicate()

    async def listed(self) -> list[pb.RegisteredPair]:
        """Return the registered pairs."""
        async with channel(self.socket) as opened:
            return list((await pb_grpc.QuoteServiceStub(opened).ListPairs(pb.ListPairsRequest())).pairs)

    async def is_complete(self, pairs: int) -> bool:
        """Tell whether so many source pairs are registered and all of them are fresh."""
        return [True] * pairs == [pair.HasField("quote") for pair in await self.listed()]

    async def is_streaming(self, pairs: int) -> bool:
        """Tell whether each pair has had a price from a stream; such a price has the exchange's time."""
        listed = await self.listed()
        return [True] * pairs == [pair.quote.HasField("exchange_time") for pair in listed]


async def serving(path: Path) -> None:
    """Return once the service is SERVING."""
    async with channel(path) as opened:
        health = health_pb2_grpc.HealthStub(opened)
        request = health_pb2.HealthCheckRequest(service=service.NAME)
        watch = health.Watch(request, wait_for_ready=True, timeout=30)  # type: ignore[attr-defined]
        async for answer in watch:
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
                return
