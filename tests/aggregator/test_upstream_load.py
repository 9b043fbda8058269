"""
What four clients that ask for a hundred pairs ten times a minute cost a batch source, counted by the simulator.

Minutes are simulated, with real sockets between aggregator and simulator, and real processes in a shorter time; the
campaign has the real minutes.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from devkit.market.app import build_app
from devkit.market.process import PriceProcess
from meshkit.clock import ManualClock
from services.aggregator.config import AggregatorConfig
from services.aggregator.engine.engine import Engine
from services.aggregator.metrics import open_registry
from services.aggregator.prices.pair import Pair
from services.aggregator.sources.factory import open_sources
from services.aggregator.sources.settings import SourceConfig
from services.aggregator.streams.catalog import open_streams
from services.aggregator.streams.settings import StreamConfig
from tests.aggregator.processes import Running, serving
from tests.waiting import until

CLIENTS = 4
REQUESTS_A_MINUTE = 10
# The status of each market is looked at within a minute, all of them in one call.
LOOKS = 2
TTL_S = 10
PAIRS = 100
START_MS = 1_800_000_000_000


async def counted(session: aiohttp.ClientSession, market: str) -> int:
    """Return how many calls of binance the simulator has counted."""
    async with session.get(f"{market}/control/binance") as response:
        return int((await response.json())["requests"])


async def listed(session: aiohttp.ClientSession, market: str) -> list[Pair]:
    """Return a hundred pairs that the simulated binance trades; asking for them counts as a call."""
    async with session.get(f"{market}/binance/api/v3/exchangeInfo") as response:
        rows = (await response.json())["symbols"]
    traded = [row for row in rows if row["status"] == "TRADING" and row["quoteAsset"] == "USDT"]
    return [Pair(row["baseAsset"], row["quoteAsset"]) for row in traded][:PAIRS]


@dataclass
class Minutes:
    """An engine of binance on a manual clock, which a simulator on the same clock answers over real sockets."""

    clock: ManualClock
    engine: Engine
    session: aiohttp.ClientSession
    market: str

    async def run(self, seconds: float) -> None:
        """Move the clock, letting all calls end and all messages arrive before it moves again."""
        for _ in range(round(seconds / 0.25)):
            self.clock.advance(0.25)
            await asyncio.sleep(0.002)
            await until(lambda: not self.engine.status.source("binance").calls_running)

    async def client(self, number: int, pairs: Sequence[Pair]) -> None:
        """Ask for all pairs again and again."""
        await self.clock.sleep(number * 1.3)
        while True:
            answers = await asyncio.gather(*(self.engine.answers.source_quote("binance", pair) for pair in pairs))
            assert PAIRS == len([answer for answer in answers if answer.price > 0])
            await self.clock.sleep(60 / REQUESTS_A_MINUTE)

    async def calls(self) -> int:
        """Return how many calls of the engine the simulator has counted."""
        return await counted(self.session, self.market) - 1


@asynccontextmanager
async def minutes(session: aiohttp.ClientSession, *, streams: bool) -> AsyncIterator[Minutes]:
    """Give a started engine with its clients at work."""
    clock, metrics = ManualClock(START_MS), open_registry()
    runner = web.AppRunner(build_app(PriceProcess(7), clock), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    market = f"http://127.0.0.1:{runner.addresses[0][1]}"
    stream = StreamConfig(ws_url=f"{market.replace('http', 'ws', 1)}/binance/ws")
    source = SourceConfig("binance", base_url=f"{market}/binance", ttl_ms=TTL_S * 1000)
    config = AggregatorConfig({"binance": source}, {}, {"binance": stream} if streams else {})
    opened = open_streams(session, config.streams, clock, metrics)
    made = Minutes(
        clock,
        Engine(config, open_sources(session, config.sources.values(), clock), clock, metrics, opened),
        session,
        market,
    )
    pairs = await listed(session, market)
    await made.engine.start()
    clients = [asyncio.create_task(made.client(number, pairs)) for number in range(CLIENTS)]
    try:
        yield made
        assert [] == [client for client in clients if client.done()]
    finally:
        for client in clients:
            client.cancel()
        await made.engine.close()
        await asyncio.gather(*clients, return_exceptions=True)
        await runner.cleanup()


async def test_without_streams_seven_calls_a_minute(session: aiohttp.ClientSession) -> None:
    """
    Four calls at most until everybody has every price, the listing among them; then seven a minute at most.

    To these come the looks at the statuses, one or two a minute.
    """
    async with minutes(session, streams=False) as m:
        await m.run(5)
        cold = await m.calls()
        await m.run(120)
        calls = await m.calls() - cold

    assert 2 <= cold <= 4
    assert 2 * 60 / TTL_S <= calls <= 2 * (7 + LOOKS)


async def test_with_streams_no_call_at_all(session: aiohttp.ClientSession) -> None:
    """Once the streams run there is no call in a minute but looks at the statuses, and every pair stays fresh."""
    async with minutes(session, streams=True) as m:
        await m.run(TTL_S + 5)
        cold = await m.calls()
        await m.run(60)

        assert await m.calls() - cold <= LOOKS
        assert cold <= 4
        assert PAIRS == m.engine.status.source("binance").fresh_pairs


@asynccontextmanager
async def asking(url: str, pairs: Sequence[Pair], period_s: float) -> AsyncIterator[list[int]]:
    """Have the clients ask over HTTP meanwhile; give how often each of them has had all pairs."""
    rounds = [0] * CLIENTS

    async def ask(pair: Pair, session: aiohttp.ClientSession) -> None:
        async with session.get(f"{url}/quote/binance/{pair.base}/{pair.quote}") as response:
            assert 200 == response.status, await response.text()

    async def client(number: int, session: aiohttp.ClientSession) -> None:
        while True:
            await asyncio.gather(*(ask(pair, session) for pair in pairs))
            rounds[number] += 1
            await asyncio.sleep(period_s)

    async with aiohttp.ClientSession() as session:
        tasks = [asyncio.create_task(client(number, session)) for number in range(CLIENTS)]
        try:
            yield rounds
            assert [] == [task for task in tasks if task.done()]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def calls_of_a_process(run_dir: Path, market: str, source: dict[str, Any], window_s: float) -> Sequence[int]:
    """Return the calls of a cold start, and those of a time after it, once its streams run if it has any."""
    running = Running(run_dir, {"binance": {"baseUrl": f"{market}/binance", "refetch": True, **source}})
    async with running.process(), aiohttp.ClientSession() as session:
        await serving(running.socket)
        pairs, start = await listed(session, market), await counted(session, market)
        async with asking(running.url, pairs, window_s / REQUESTS_A_MINUTE) as rounds:
            await until(lambda: all(rounds), timeout_s=30)
            cold = await counted(session, market) - start
            if "stream" in source:
                await until(lambda: running.is_streaming(PAIRS))
                # A call that began before the last stream's price came is counted by then.
                await asyncio.sleep(1)
            before = await counted(session, market)
            await asyncio.sleep(window_s)
            return cold, await counted(session, market) - before


def stream_of(market: str) -> dict[str, str]:
    """Return the setting of the simulator's stream."""
    return {"wsUrl": market.replace("http", "ws", 1) + "/binance/ws"}


async def test_a_process_with_streams_makes_no_calls(run_dir: Path, market: str) -> None:
    """With clients at work and prices that would expire meanwhile, the simulator counts no call."""
    cold, calls = await calls_of_a_process(run_dir, market, {"ttl": 4000, "stream": stream_of(market)}, 5)

    assert (True, 0) == (cold <= 4, calls)


@pytest.mark.campaign
@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.timeout(180)
async def test_a_real_minute(run_dir: Path, market: str, streams: bool) -> None:
    """At the default time to live: four calls, then seven a minute at most and none with streams, beside the looks."""
    source = {"ttl": TTL_S * 1000, **({"stream": stream_of(market)} if streams else {})}
    cold, calls = await calls_of_a_process(run_dir, market, source, 60)

    assert cold <= 4
    assert calls <= (0 if streams else 7) + LOOKS
