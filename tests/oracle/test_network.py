"""The node end to end: one bootstrap and four oracles as processes, with everything real around them."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from feedmesh.oracle.v1 import oracle_service_pb2 as pb
from feedmesh.oracle.v1.oracle_service_pb2_grpc import OracleServiceStub
from meshkit.rpc.client import channel
from tests.dbinit.server import Server
from tests.oracle.anvil import Aggregator, Anvil
from tests.oracle.conftest import node_url
from tests.oracle.eventually import eventually
from tests.oracle.network import NodeProcess, configure, set_up_jobs
from tests.oracle.quotes import QuoteServer

pytestmark = pytest.mark.long(30)


@dataclass
class Network:
    """Hold a running network."""

    http: aiohttp.ClientSession
    anvil: Anvil
    aggregator: Aggregator
    quotes: QuoteServer
    bootstrap: NodeProcess
    oracles: list[NodeProcess]

    async def rounds_after(self, count: int, within_s: float) -> None:
        """Return once the contract has that many more rounds."""
        before, _ = await self.aggregator.latest_round()

        async def reached() -> bool:
            return (await self.aggregator.latest_round())[0] >= before + count

        try:
            await eventually(reached, within_s, f"{count} rounds after round {before}")
        except AssertionError as error:
            logs = "\n".join(node.log.read_text()[-2500:] for node in (self.bootstrap, *self.oracles))
            raise AssertionError(f"{error}\n{logs}") from error


@pytest.fixture(name="network")
async def _network(
    http: aiohttp.ClientSession, postgres: Server, tmp_path: Path, run_dir: Path
) -> AsyncIterator[Network]:
    """Give five nodes with jobs for one feed, from nothing but files and REST calls."""
    anvil, quotes = Anvil(http, 1, tmp_path / "chain.json"), QuoteServer()
    nodes = []
    for i in range(1, 6):
        url = node_url(postgres, i)
        nodes.append(NodeProcess.make(f"chainlink-node-{i}", tmp_path / str(i), run_dir, url))
    bootstrap, *oracles = nodes
    try:
        await asyncio.gather(anvil.start(), quotes.start())
        for node in nodes:
            node.write_files(anvil.url, None if node is bootstrap else bootstrap.locator)
        await asyncio.gather(*(node.start() for node in nodes))
        aggregator = await Aggregator.deploy(anvil)
        await configure(aggregator, oracles)
        await asyncio.gather(*(node.ready(http) for node in nodes))
        await set_up_jobs(http, aggregator, bootstrap, oracles, quotes.url)
        yield Network(http, anvil, aggregator, quotes, bootstrap, oracles)
    finally:
        await asyncio.gather(*(node.stop(signal.SIGKILL) for node in nodes))
        await quotes.stop()
        await anvil.stop()


async def test_a_network_of_processes(network: Network, postgres: Server) -> None:
    """
    Rounds come on chain and go on by themselves, whatever is taken away for a while.

    One oracle is killed and comes back, then PostgreSQL, then the chain; then the contract gets another configuration.
    In the end every node stops in order within 5 seconds.
    """
    await network.rounds_after(3, 40)
    _, answer = await network.aggregator.latest_round()
    assert 65123_45000000 < answer < 65200_00000000
    assert all(len(set(observers)) >= 3 for _, observers in await network.aggregator.transmissions())
    meta = [request["meta"] for request in network.quotes.requests if isinstance(request, dict)]
    assert {"latestAnswer": None, "updatedAt": None} in meta
    assert any(isinstance(item["latestAnswer"], int) for item in meta)

    victim = network.oracles[0]
    await victim.stop(signal.SIGKILL)
    await network.rounds_after(2, 30)
    await victim.start()
    await victim.ready(network.http)
    await _looks_into(victim)

    postgres.stop(signal.SIGQUIT)
    await asyncio.sleep(1)
    postgres.start()
    await network.rounds_after(2, 30)

    await network.anvil.stop()
    await asyncio.sleep(1)
    await network.anvil.start()
    await network.rounds_after(2, 30)

    await configure(network.aggregator, network.oracles, r_max=3)
    await network.rounds_after(2, 30)
    transmitters = {transmitter for transmitter, _ in await network.aggregator.transmissions()}
    assert transmitters <= {node.evm.address for node in network.oracles}
    assert len(transmitters) >= 2

    started_s = time.monotonic()
    assert [0] * 5 == await asyncio.gather(*(node.stop() for node in (network.bootstrap, *network.oracles)))
    assert time.monotonic() - started_s < 5
    assert not list(network.bootstrap.run_dir.glob("*.sock"))


async def _looks_into(node: NodeProcess) -> None:
    """See over gRPC that an oracle takes part in rounds with all its peers."""
    async with channel(node.run_dir / f"{node.name}.sock") as open_channel:
        stub = OracleServiceStub(open_channel)

        async def takes_part() -> bool:
            status: pb.GetStatusResponse = await stub.GetStatus(pb.GetStatusRequest(), timeout=5)
            return bool(status.jobs and status.jobs[0].last_observation and len(status.connected_peers) == 4)

        await eventually(takes_part, 20, "the killed oracle takes part again")
        listed: pb.ListJobsResponse = await stub.ListJobs(pb.ListJobsRequest(), timeout=5)
        assert ["BTC / USD"] == [job.name for job in listed.jobs]
        assert 32 == len(listed.jobs[0].config_digest)
        async for moment in stub.WatchRounds(pb.WatchRoundsRequest(names=["BTC / USD"]), timeout=20):
            assert "BTC / USD" == moment.name
            break
