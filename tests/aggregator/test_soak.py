"""The service as a process, before sources that fail at random while clients ask."""

import asyncio
import json
import os
import random
import sys
from collections.abc import AsyncIterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from devkit.market.process import Pair, PriceProcess
from tests.bench.setup import write_configuration
from tests.waiting import until

TTL_MS = 1_000
FEEDS = ("BTC / USD", "ETH / USD", "EUR / USD", "LINK / USD", "LTC / USD")
BATCH = "/quotes/batch?pairs=" + ",".join(feed.replace(" / ", "-") for feed in FEEDS)
# The simulator of the fixture.
TRUTH = PriceProcess(7)
# A second old, at most 5 basis points beside the market; the lies are hundreds of times as far away.
TOLERANCE = Decimal("0.005")
MISBEHAVIOURS: tuple[dict[str, object], ...] = (
    {"latency_ms": 300},
    {"latency_ms": 3_000},
    {"status": 500},
    {"status": 503, "body": "<html>maintenance</html>"},
    {"status": 200, "body": ""},
    {"malformed": True},
    {"limit": True},
)
# A daily quota or a ban of the address would silence these for longer than a test lasts.
SHORT_LIMITS = {"alphavantage": "burst", "bybit": "visits", "exchangeratehost": "rate"}
# Two sources that tell the same lie would be right by majority, so only one lies at a time.
LIES: tuple[dict[str, object], ...] = (
    {"factor": 1.5},
    {"factor": 0.5},
    {"number": "zero"},
    {"number": "negative"},
    {"number": "nan"},
    {"number": "huge"},
    {"number": "exponent"},
    {"shift_ms": -7_200_000},
)


class Soak:
    """A running service, the market before it, and what its clients saw."""

    def __init__(self, url: str, market: str, session: aiohttp.ClientSession, rss: psutil.Process) -> None:
        self.url, self.market, self.session, self.rss = url, market, session, rss
        self.sources: list[str] = []
        self.prices = self.errors = 0
        self.wrong: list[object] = []

    async def json(self, url: str, body: object = None) -> Any:
        """Return the parsed answer of a GET, or of a POST if there is a body, whatever its status."""
        call = self.session.get(url) if body is None else self.session.post(url, json=body)
        async with call as response:
            return json.loads(await response.read())

    async def fault(self, source: str, fault: object) -> None:
        """Set a source's fault; an empty one is none."""
        async with self.session.post(f"{self.market}/control/{source}", json=fault) as response:
            assert 200 == response.status, await response.text()

    async def ask(self) -> int:
        """Ask in both forms, judge the answers, and return how many of them are prices."""
        count = 0
        said = await self.json(self.url + BATCH)
        for entry in said["quotes"]:
            count += self._judge(entry["pair"], entry if "price" in entry else None, _ms(said["timestamp"]))
        base, quote = FEEDS[0].split(" / ")
        said = await self.json(f"{self.url}/quotes/batch", {"data": {"base": base, "quote": quote}, "meta": {}})
        good = said["statusCode"] == 200
        time_ms = said["timestamps"]["answeredUnixMs"] if good else 0
        return count + self._judge(f"{base}/{quote}", said["data"] if good else None, time_ms)

    def _judge(self, pair: str, said: Any, time_ms: int) -> bool:
        if said is None:
            self.errors += 1
            return False
        self.prices += 1
        truth = TRUTH.price(Pair.parse(pair), time_ms)
        ages_ms = [time_ms - _ms(used["receivedAt"]) for used in said["sources"]]
        # Both times are rounded to milliseconds.
        if abs(Decimal(said["price"]) / truth - 1) > TOLERANCE or max(ages_ms) > TTL_MS + 2:
            self.wrong.append((said, str(truth), ages_ms))
        return True

    async def torment(self, dice: random.Random, seconds: float) -> None:
        """Let random sources misbehave for random times, and at most one of them lie."""
        ends_at = asyncio.get_running_loop().time() + seconds
        liar = ""
        while asyncio.get_running_loop().time() < ends_at:
            await asyncio.sleep(dice.uniform(0.2, 1.0))
            source = dice.choice(self.sources)
            if source == liar:
                liar = ""
            fault: dict[str, object] = {}
            if not liar and dice.random() < 0.4:
                liar, fault = source, dice.choice(LIES)
            elif dice.random() < 0.5:
                fault = dice.choice(MISBEHAVIOURS)
                if "limit" in fault:
                    fault = {"limit": SHORT_LIMITS.get(source, True)}
            await self.fault(source, fault)
        for source in self.sources:
            await self.fault(source, {})

    async def all_available(self) -> bool:
        """Tell whether every source has recovered."""
        states = (await self.json(self.url + "/health"))["sources"].values()
        return all(state["available"] and state["freshPairs"] for state in states if state["registeredPairs"])


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.fixture(name="soak")
async def _soak(run_dir: Path, market: str, session: aiohttp.ClientSession) -> AsyncIterator[Soak]:
    async with session.get(market + "/healthz") as response:
        sources = json.loads(await response.read())["sources"]
    environment, port = write_configuration(run_dir, market_url=market, sources=sources, feeds=FEEDS, ttl_ms=TTL_MS)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.aggregator",
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        soak = Soak(f"http://127.0.0.1:{port}", market, session, psutil.Process(process.pid))

        async def answers() -> bool:
            try:
                states = (await soak.json(soak.url + "/health"))["sources"]
            except aiohttp.ClientConnectionError:
                return False
            soak.sources = [name for name, state in states.items() if state["registeredPairs"]]
            return len(soak.sources) > 2 and await soak.all_available()

        await until(answers, "a fresh price of every source")
        yield soak
    finally:
        process.kill()
        await process.wait()


async def _run(soak: Soak, seconds: float, warm_up_s: float, growth_mb: float) -> None:
    seed = int(os.environ.get("SOAK_SEED", random.randrange(10**6)))
    print(f"SOAK_SEED={seed}")
    asking = True

    async def client() -> None:
        while asking:
            await soak.ask()

    clients = [asyncio.create_task(client()) for _ in range(4)]
    await soak.torment(random.Random(seed), warm_up_s)
    before = soak.rss.memory_info().rss
    await soak.torment(random.Random(seed + 1), seconds)
    grown_mb = (soak.rss.memory_info().rss - before) / 1e6
    await until(soak.all_available, "the recovery of every source", 90)
    asking = False
    await asyncio.gather(*clients)

    assert [] == soak.wrong[:3], f"{len(soak.wrong)} of {soak.prices} prices are wrong or stale, SOAK_SEED={seed}"
    assert soak.prices > soak.errors, f"{soak.prices} prices, {soak.errors} errors, SOAK_SEED={seed}"
    assert grown_mb < growth_mb, f"grown by {grown_mb} MB, SOAK_SEED={seed}"


async def test_prices_are_right_or_errors_while_sources_fail(soak: Soak) -> None:
    """Every answer is near the truth and of fresh prices, or an error; every source recovers; memory stays."""
    await _run(soak, seconds=10, warm_up_s=4, growth_mb=20)


async def test_no_price_outlives_its_time_under_load(soak: Soak) -> None:
    """When all sources fall silent, no price is answered a time to live later, however much is asked."""
    for source in soak.sources:
        await soak.fault(source, {"status": 503})
    loop = asyncio.get_running_loop()
    # A call that was under way when the source fell silent may still bring a price.
    ends_at, silent_at = loop.time() + 3 * TTL_MS / 1000, loop.time() + 2 * TTL_MS / 1000
    late = 0

    async def client() -> None:
        nonlocal late
        while (asked_at := loop.time()) < ends_at:
            prices = await soak.ask()
            late += prices if asked_at > silent_at else 0
            await asyncio.sleep(0)

    await asyncio.gather(*(client() for _ in range(8)))

    assert [] == soak.wrong[:3]
    assert 0 == late
    assert soak.errors


@pytest.mark.campaign
@pytest.mark.timeout(1_200)
async def test_ten_minutes_of_failing_sources(soak: Soak) -> None:
    """The same for ten minutes, in which memory grows by less than 5 MB after a minute."""
    await _run(soak, seconds=600, warm_up_s=60, growth_mb=5)
