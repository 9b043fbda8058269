"""A node process that is killed at any moment, in a network that goes on."""

import random
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from chainlink.rpc.answers import quantity
from tests.dbinit.server import Server
from tests.oracle.anvil import Aggregator, Anvil
from tests.oracle.conftest import node_url
from tests.oracle.eventually import eventually
from tests.oracle.network import NodeProcess, configure, set_up_jobs
from tests.oracle.quotes import QuoteServer

KILLS = 4
SEED = 5


@pytest.fixture(name="quotes")
async def _quotes() -> AsyncIterator[QuoteServer]:
    """Give the prices' server."""
    quotes = QuoteServer()
    await quotes.start()
    yield quotes
    await quotes.stop()


async def sent_by(anvil: Anvil, address: str) -> list[tuple[int, str]]:
    """Return nonce and data of all transactions of an address that are in blocks."""
    head = await anvil.rpc.number("eth_blockNumber")
    blocks = [await anvil.rpc.call("eth_getBlockByNumber", hex(number), True) for number in range(head + 1)]
    return [
        (quantity(transaction["nonce"]), transaction["input"])
        for block in blocks
        for transaction in block["transactions"]
        if transaction["from"].lower() == address.lower()
    ]


@pytest.mark.campaign
@pytest.mark.timeout(300)
async def test_kills_at_random_moments(
    http: aiohttp.ClientSession, postgres: Server, quotes: QuoteServer, tmp_path: Path, run_dir: Path
) -> None:
    """
    A node that is killed again and again comes back to its rounds, finds its peers without the bootstrap node, and
    never sends one report twice, nor two under one nonce; in the end it starts without a chain too.
    """
    luck, anvil = random.Random(SEED), Anvil(http, 1)
    nodes = [
        NodeProcess.make(f"chainlink-node-{i}", tmp_path / str(i), run_dir, node_url(postgres, i)) for i in range(1, 6)
    ]
    bootstrap, *oracles = nodes
    victim = oracles[0]
    try:
        await anvil.start()
        for node in nodes:
            node.write_files(anvil.url, None if node is bootstrap else bootstrap.locator)
            await node.start()
        aggregator = await Aggregator.deploy(anvil)
        await configure(aggregator, oracles)
        for node in nodes:
            await node.ready(http)
        await set_up_jobs(http, aggregator, bootstrap, oracles, quotes.url)

        async def rounds_after(before: int, count: int) -> None:
            async def reached() -> bool:
                return (await aggregator.latest_round())[0] >= before + count

            await eventually(reached, 60, f"{count} rounds after round {before}")

        async def is_observer_again(before: int) -> None:
            async def observed() -> bool:
                return any(0 in observers for _, observers in (await aggregator.transmissions())[before:])

            await eventually(observed, 60, "the killed node observes again")

        await rounds_after(0, 2)
        # What was learned of the peers is written behind; the bootstrap node is gone from here on.
        await eventually(lambda: _knows_peers(victim), 30, "the peers' addresses are written")
        await bootstrap.stop(signal.SIGKILL)
        for _ in range(KILLS):
            before, _ = await aggregator.latest_round()
            await rounds_after(before, luck.randint(0, 2))
            await victim.stop(signal.SIGKILL)
            await victim.start()
            await victim.ready(http)
            await is_observer_again((await aggregator.latest_round())[0])

        for node in oracles:
            sent = await sent_by(anvil, node.evm.address)
            assert sorted(range(len(sent))) == sorted(nonce for nonce, _ in sent)
            assert len(sent) == len({data for _, data in sent})
        await _starts_without_a_chain(http, anvil, victim)
    finally:
        for node in nodes:
            await node.stop(signal.SIGKILL)
        await anvil.stop()


async def _knows_peers(node: NodeProcess) -> bool:
    connection = await asyncpg.connect(node.database_url)
    try:
        count: int = await connection.fetchval("SELECT count(*) FROM feedmesh_node.announcements")
        return count >= 3
    finally:
        await connection.close()


async def _starts_without_a_chain(http: aiohttp.ClientSession, anvil: Anvil, node: NodeProcess) -> None:
    """See that a node whose chain is gone starts, and takes part in its feed with the last configuration."""
    await node.stop(signal.SIGKILL)
    await anvil.stop()
    await node.start()
    await node.ready(http)

    async def has_configuration() -> bool:
        return node.log.read_text().rpartition("booted")[2].count("feed_started") > 0

    await eventually(has_configuration, 30, "the feed runs with the last configuration")
