"""The service as a process of its own."""

import asyncio
import json
import signal
import socket
from pathlib import Path

import aiohttp

from feedmesh.aggregator.v1 import quote_service_pb2 as pb
from feedmesh.aggregator.v1 import quote_service_pb2_grpc as pb_grpc
from meshkit.rpc.client import channel
from tests.aggregator.fakes import NAMES
from tests.aggregator.processes import Running, serving
from tests.waiting import until

FEEDS = ("BTC / USD", "ETH / USD", "EUR / USD")


def made(run_dir: Path, market: str) -> Running:
    """Return an aggregator of three simulated sources, of which two have euros."""
    sources = {name: {"baseUrl": f"{market}/{name}", "ttl": 5000, "refetch": True} for name in NAMES}
    return Running(run_dir, sources, FEEDS)


async def test_it_serves_and_stops(run_dir: Path, market: str) -> None:
    """Once healthy every configured feed is answered by both sides from the cache; SIGTERM ends it with 0."""
    aggregator = made(run_dir, market)
    async with aggregator.process() as process, aiohttp.ClientSession() as session:
        await serving(aggregator.socket)
        # Healthy is who has a price of each feed; the slowest source may still be on its way then. Two of the sources
        # have a price of the dollar coin that the third is converted with.
        await until(lambda: aggregator.is_complete(10))
        body = {"data": {"feed": "BTC / USD"}, "meta": {}}
        async with session.post(f"{aggregator.url}/quotes/batch", json=body) as response:
            said = await response.json()
        async with session.get(f"{aggregator.url}/metrics") as response:
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
    aggregator = made(run_dir, market)
    with socket.create_server(("127.0.0.1", aggregator.port)):
        async with aggregator.process() as process:
            output, _ = await asyncio.wait_for(process.communicate(), 30)

    assert 1 == process.returncode
    assert str(aggregator.port) in json.loads(output.splitlines()[-1])["error"]
