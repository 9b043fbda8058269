"""The world of a soak: the simulated market and the service, each a process, and what the test says to them."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import psutil

from tests.aggregator.soaking.judge import Judge, Told, milliseconds
from tests.aggregator.soaking.plan import ACTIONS, Spell
from tests.bench.setup import write_configuration
from tests.ports import free_port
from tests.waiting import until

SEED: Final = 7
FEEDS: Final = (
    "BTC / USD",
    "ETH / USD",
    "EUR / USD",
    "LINK / USD",
    "LTC / USD",
    "AAPL / USD",
    "ENJ / ETH",
    "mETH / ETH",
)
PAIRS: Final = tuple(feed.replace(" ", "") for feed in FEEDS)
BATCH: Final = "/quotes/batch?pairs=" + ",".join(PAIRS)
# One pair of each source in its own spelling; where no feed has the source, this request is what keeps it asked.
SINGLE: Final[Mapping[str, str]] = {
    "alphavantage": "BTC/USD",
    "binance": "BTC/USDT",
    "bybit": "BTC/USDT",
    "coinbase": "BTC/USD",
    "coingecko": "bitcoin/USD",
    "cryptocompare": "BTC/USD",
    "exchangeratehost": "EUR/USD",
    "finnhub": "BTC/USDT",
    "frankfurter": "EUR/USD",
    "kraken": "BTC/USD",
    "kucoin": "ETH/USDT",
    "okx": "BTC/USD",
    "yahoofinance": "AAPL/USD",
}
_START_S: Final = 90.0


@dataclass(slots=True)
class World:
    """
    Talk to the running service and its market.

    Attributes:
        limits: The names of the limit answers of each source.
        streaming: The sources with a stream.
    """

    service: str
    market: str
    session: aiohttp.ClientSession
    process: psutil.Process
    judge: Judge
    log: Path
    streaming: tuple[str, ...] = ()

    async def json(self, url: str, body: object = None) -> tuple[int, Any]:
        """Return status and parsed answer of a GET, or of a POST if there is a body."""
        call = self.session.get(url) if body is None else self.session.post(url, json=body)
        async with call as response:
            return response.status, json.loads(await response.read())

    async def tell(self, source: str, body: object, action: str = "") -> None:
        """Post to a source's control."""
        status, said = await self.json(f"{self.market}/control/{source}{action and '/'}{action}", body)
        assert 200 == status, said

    async def suffer(self, spell: Spell) -> None:
        """Let a spell begin now and end when it has taken its time."""
        told = Told(spell, round(time.time() * 1000))
        self.judge.told.setdefault(spell.source, []).append(told)
        await self.tell(spell.source, spell.fault)
        if spell.kind in ACTIONS:
            action, body = ACTIONS[spell.kind]
            await self.tell(spell.source, body, action)
        await asyncio.sleep(spell.ends_s - spell.begins_s)
        await self.tell(spell.source, {})
        told.ended_ms = round(time.time() * 1000)

    async def ask_batch(self) -> int:
        """Ask for all feeds, judge, and return how many of them have a price."""
        _, said = await self.json(self.service + BATCH)
        good = [entry for entry in said["quotes"] if "price" in entry]
        self.judge.errors += len(PAIRS) - len(good)
        for entry in good:
            self.judge.feed(entry["pair"].upper(), entry, milliseconds(said["timestamp"]))
        return len(good)

    async def ask_bridge(self, pair: str) -> bool:
        """Ask for a feed as a node's bridge does, judge, and tell whether there was a price."""
        base, quote = pair.split("/")
        body = {"data": {"base": base, "quote": quote}, "meta": {"latestAnswer": 1}}
        status, said = await self.json(f"{self.service}/quotes/batch", body)
        if status != 200:
            self.judge.errors += 1
            return False
        self.judge.feed(pair.upper(), said["data"], said["timestamps"]["answeredUnixMs"])
        return True

    async def ask_source(self, source: str) -> bool:
        """Ask for one source's price, judge, and tell whether there was one."""
        asked_ms = round(time.time() * 1000)
        status, said = await self.json(f"{self.service}/quote/{_route(source)}/{SINGLE[source]}")
        if status != 200:
            self.judge.errors += 1
            return False
        self.judge.source(said, asked_ms)
        return True

    async def streams(self) -> dict[str, bool]:
        """Tell of each stream whether all that the service knows of the source is subscribed."""
        _, states = await self.json(f"{self.market}/control")
        _, known = await self.json(f"{self.service}/health")
        return {
            source: states[source]["stream"]["subscriptions"] >= known["sources"][source]["registeredPairs"]
            for source in self.streaming
        }

    async def are_streams_up(self) -> bool:
        """Tell whether every stream carries all pairs of its source."""
        return all((await self.streams()).values())

    def rss_mb(self) -> float:
        """Return the service's resident memory in millions of bytes."""
        return float(self.process.memory_info().rss) / 1e6


def _route(source: str) -> str:
    return "exchangerate-host" if source == "exchangeratehost" else source


@asynccontextmanager
async def _process(*arguments: str, environment: Mapping[str, str], log: Path) -> AsyncIterator[psutil.Process]:
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *arguments, env={**os.environ, **environment}, stdout=file, stderr=file
        )
    try:
        yield psutil.Process(process.pid)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def running(directory: Path, ttl_ms: int, judge: Judge) -> AsyncIterator[World]:
    """Give a world in which every source has a fresh price and every stream is up."""
    port = free_port()
    market = f"http://127.0.0.1:{port}"
    arguments = ("devkit.market", "--port", str(port), "--seed", str(SEED))
    async with (
        aiohttp.ClientSession() as session,
        _process(*arguments, environment={}, log=directory / "market.log"),
    ):

        async def states() -> dict[str, Any]:
            try:
                async with session.get(f"{market}/control") as response:
                    return dict(json.loads(await response.read()))
            except aiohttp.ClientConnectionError:
                return {}

        async def is_market_up() -> bool:
            return bool(await states())

        await until(is_market_up, "the market", _START_S)
        known = await states()
        streaming = tuple(name for name, state in known.items() if "stream" in state)
        environment, own_port = write_configuration(
            directory, market_url=market, sources=list(known), feeds=FEEDS, ttl_ms=ttl_ms, streams=streaming
        )
        log = directory / "service.log"
        async with _process("services.aggregator", environment=environment, log=log) as process:
            world = World(f"http://127.0.0.1:{own_port}", market, session, process, judge, log, streaming)

            missing: list[object] = []

            async def is_whole() -> bool:
                assert process.status() != psutil.STATUS_ZOMBIE, log.read_text()[-2_000:]
                try:
                    singles = {source: await world.ask_source(source) for source in SINGLE}
                    feeds = {"feeds": await world.ask_batch() == len(PAIRS)}
                    told = {
                        **singles,
                        **feeds,
                        **{f"stream {name}": up for name, up in (await world.streams()).items()},
                    }
                except aiohttp.ClientConnectionError:
                    return False
                missing[:] = [name for name, is_there in told.items() if not is_there]
                return not missing

            try:
                await until(is_whole, "a price of every source and feed, and every stream", _START_S)
            except AssertionError as error:
                raise AssertionError(f"{error}; missing: {missing}") from None
            yield world
