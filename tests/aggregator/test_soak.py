"""The service as a process before all 13 sources, REST and streams, that fail at random while clients ask."""

import asyncio
import os
import random
import statistics
from collections.abc import AsyncIterator
from itertools import cycle
from pathlib import Path
from typing import Final

import pytest

from devkit.market.process import PriceProcess
from devkit.market.sources import DIALECTS
from devkit.market.venue import Venue
from meshkit.clock import SystemClock
from tests.aggregator.soaking.judge import Judge
from tests.aggregator.soaking.plan import RECOVERY_S, Spell, draw
from tests.aggregator.soaking.world import PAIRS, SEED, SINGLE, World, running
from tests.waiting import until

pytestmark = pytest.mark.long(40)

TTL_MS: Final = 1_000
# A stream whose subscriptions were lost without a word is made anew after two minutes without a price.
STREAM_RECOVERY_S: Final = 180.0
GROWTH_MB: Final = 5.0
_SAMPLE_S: Final = 0.5
_SAMPLES: Final = 20
_PAUSE_S: Final = 0.02
_SINGLE_PAUSE_S: Final = 0.2


@pytest.fixture(name="world")
async def _world(run_dir: Path) -> AsyncIterator[World]:
    async with running(run_dir, TTL_MS, Judge(PriceProcess(SEED), TTL_MS)) as world:
        yield world


def plan(seed: int, seconds: float, streaming: tuple[str, ...]) -> tuple[Spell, ...]:
    """Return the plan of a seed with the limit answers that the simulator knows."""
    process, clock = PriceProcess(SEED), SystemClock()
    dialects = [kind(Venue(kind.source, process), clock) for kind in DIALECTS]
    limits = {dialect.source: tuple(dialect.limit_answers()) for dialect in dialects}
    return draw(seed, seconds, limits, streaming)


async def torment(world: World, spells: tuple[Spell, ...], seconds: float) -> list[float]:
    """Let the spells come over the sources; return the service's memory in MB, sampled twice a second."""
    loop = asyncio.get_running_loop()
    began_at = loop.time()

    async def suffer(spell: Spell) -> None:
        await asyncio.sleep(began_at + spell.begins_s - loop.time())
        await world.suffer(spell)

    memory_mb: list[float] = []
    async with asyncio.TaskGroup() as spelled:
        for spell in spells:
            spelled.create_task(suffer(spell))
        while loop.time() < began_at + seconds:
            memory_mb.append(world.rss_mb())
            await asyncio.sleep(_SAMPLE_S)
    return memory_mb


async def soak(world: World, seed: int, seconds: float, warm_up_s: float) -> None:
    """Ask in every way while the sources fail, then judge answers, memory and recoveries."""
    again = f"SOAK_SEED={seed} replays the faults"
    print(again)
    asking = True

    async def ask_feeds() -> None:
        for pair in cycle(PAIRS):
            await world.ask_batch()
            await world.ask_bridge(pair)
            await asyncio.sleep(_PAUSE_S)
            if not asking:
                return

    async def ask_source(source: str) -> None:
        while asking:
            await world.ask_source(source)
            await asyncio.sleep(_SINGLE_PAUSE_S)

    judge = world.judge
    async with asyncio.TaskGroup() as clients:
        for _ in range(3):
            clients.create_task(ask_feeds())
        for source in SINGLE:
            clients.create_task(ask_source(source))
        spells = plan(seed, seconds, world.streaming)
        memory_mb = await torment(world, spells, seconds)
        loop = asyncio.get_running_loop()
        over_at = loop.time()

        def have_recovered() -> bool:
            return not judge.recoveries()[1] or loop.time() > over_at + RECOVERY_S

        await until(have_recovered, "the recoveries", 2 * RECOVERY_S)
        await until(world.are_streams_up, f"all streams again, {again}", STREAM_RECOVERY_S)
        streams_s = loop.time() - over_at
        asking = False
    took_s, late = judge.recoveries()
    warm = round(warm_up_s / _SAMPLE_S)
    grown_mb = statistics.median(memory_mb[-_SAMPLES:]) - statistics.median(memory_mb[warm : warm + _SAMPLES])
    print(
        f"{len(spells)} faults in {seconds:.0f} s; {judge.prices} prices, {judge.errors} errors, "
        f"{judge.believed} steady lies believed, {len(judge.wrong)} wrong; {len(took_s)} recoveries: median "
        f"{statistics.median(took_s):.1f} s, longest {max(took_s):.1f} s; streams complete {streams_s:.0f} s after the "
        f"end; RSS {memory_mb[0]:.1f} MB at the start, {memory_mb[-1]:.1f} MB at the end, {grown_mb:+.2f} MB after "
        f"{warm_up_s:.0f} s of warm-up"
    )

    first = "\n".join(map(repr, judge.wrong[:5]))
    assert not judge.wrong, f"{len(judge.wrong)} of {judge.prices} prices are wrong or stale, {again}; first:\n{first}"
    assert judge.prices > judge.errors, again
    assert [] == late, again
    assert grown_mb < GROWTH_MB, again
    assert "Traceback" not in world.log.read_text(), again


@pytest.mark.timeout(400)
async def test_a_minute_of_failing_sources(world: World) -> None:
    """Every answer is near the truth and of fresh prices, or an error; every source recovers; memory stays."""
    await soak(world, int(os.environ.get("SOAK_SEED", "1")), seconds=60, warm_up_s=15)


@pytest.mark.campaign
@pytest.mark.timeout(1_200)
async def test_ten_minutes_of_failing_sources(world: World) -> None:
    """The same for ten minutes, each time with other faults."""
    await soak(world, int(os.environ.get("SOAK_SEED", random.randrange(10**6))), seconds=600, warm_up_s=60)


async def test_no_price_outlives_its_time_under_load(world: World) -> None:
    """When all sources fall silent, no price is answered a time to live later, however much is asked."""
    for source in SINGLE:
        await world.tell(source, {"status": 503, "silence": True})
    loop = asyncio.get_running_loop()
    # A call that was under way when the source fell silent may still bring a price.
    ends_at, silent_at = loop.time() + 3 * TTL_MS / 1000, loop.time() + 2 * TTL_MS / 1000
    late = 0

    async def client() -> None:
        nonlocal late
        while (asked_at := loop.time()) < ends_at:
            prices = await world.ask_batch() + await world.ask_bridge(PAIRS[0])
            late += prices if asked_at > silent_at else 0
            await asyncio.sleep(0)

    await asyncio.gather(*(client() for _ in range(8)))

    assert [] == world.judge.wrong
    assert 0 == late
    assert world.judge.errors
