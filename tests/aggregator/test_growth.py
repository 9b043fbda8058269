"""A long run on a simulated clock: nothing grows."""

import asyncio
import gc
from collections.abc import Sized
from dataclasses import dataclass, replace
from types import ModuleType

import pytest

from services.aggregator.config import AggregatorConfig
from services.aggregator.engine.engine import Engine
from services.aggregator.prices.errors import ProviderFault
from services.aggregator.prices.pair import Pair
from services.aggregator.sources.settings import SourceConfig
from tests.aggregator.bench import bench


def config(pairs: int, ttl_ms: int) -> AggregatorConfig:
    """Return a configuration of the source kraken with so many feeds."""
    feeds = {Pair(f"A{number}", "USD"): {"kraken": Pair(f"A{number}", "USD")} for number in range(pairs)}
    return AggregatorConfig({"kraken": SourceConfig("kraken", ttl_ms=ttl_ms)}, feeds)


@dataclass
class Growth:
    """The containers that our own objects reach from an engine: their sizes by identity, and the sizes of heaps."""

    sizes: dict[int, int]
    heaps: list[int]


def is_entry(item: object) -> bool:
    """Tell whether an item of a list is an entry of a heap: of a schedule, or of a cache whose items expire."""
    return (isinstance(item, tuple) and isinstance(item[0], float)) or type(item).__name__ == "_Item"


def measured(root: Engine) -> Growth:
    """
    Return what there is now.

    Heaps are apart: they keep replaced entries until these are as many as the present ones, so their sizes swing.
    """
    found = Growth({}, [])
    todo: list[object] = [root]
    while todo:
        item = todo.pop()
        if id(item) in found.sizes or isinstance(item, type | ModuleType | str | bytes | asyncio.AbstractEventLoop):
            continue
        if isinstance(item, list) and item and is_entry(item[0]):
            found.heaps.append(len(item))
            continue
        found.sizes[id(item)] = len(item) if isinstance(item, Sized) else 0
        todo += [
            each
            for each in gc.get_referents(item)
            if isinstance(each, dict | list | set | tuple)
            or type(each).__module__.startswith(("services.", "cachetools"))
        ]
    return found


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("count", "warm_up"), [(300, 18), pytest.param(1_000, 18 + 2 * 42, marks=pytest.mark.campaign)]
)
async def test_an_hour_with_hundreds_of_pairs_leaves_nothing_behind(count: int, warm_up: int) -> None:
    """Sixty minutes of refreshes, requests, faults and pairs that come and go: no container grows, heaps included."""
    # So few that what is kept of the pairs that were refused last, of so many too, is full before the first look.
    most_pairs = count + 100
    settings_ = replace(
        config(count, 120_000),
        inactive_timeout_ms=300_000,
        cleanup_interval_ms=30_000,
        jump_guard_bps=1_000,
        most_pairs=most_pairs,
    )
    pairs = list(settings_.feeds)
    async with bench(settings_, max_batch=200) as b:
        source = b.sources[0]
        source.prices = dict.fromkeys(pairs, "1")

        async def minute(number: int) -> None:
            visitors = [Pair(f"V{number}x{each}", "USD") for each in range(10)]
            source.prices.update(dict.fromkeys(visitors, "2"))
            # Each pair is asked for every three minutes, so that it stays.
            task = asyncio.create_task(b.engine.answers.quotes(pairs if number == 1 else pairs[number % 3 :: 3]))
            others = [asyncio.create_task(b.engine.answers.source_quote("kraken", pair)) for pair in visitors]
            others.append(asyncio.create_task(b.engine.answers.source_quote("kraken", Pair(f"N{number}", "USD"))))
            source.failure = ProviderFault("kraken", "down") if number % 7 == 0 else None
            await b.run(4, 0.25)
            source.failure = None
            await b.run(56, 1.0)
            await asyncio.gather(task, *others, return_exceptions=True)
            for visitor in visitors:
                del source.prices[visitor]
            source.calls.clear()

        # Refreshes repeat every 2 minutes, requests every 3, faults every 7: after 42 minutes all is as it was.
        for number in range(1, warm_up + 1):
            await minute(number)
        before = measured(b.engine)
        heaps: list[int] = []
        for number in range(warm_up + 1, warm_up + 43):
            await minute(number)
            if (number - warm_up) % 8 == 0:
                heaps += measured(b.engine).heaps
        after = measured(b.engine)

        assert count <= len(b.engine.status.pairs("kraken")) <= count + 70
        assert sum(after.sizes.values()) <= 1.01 * sum(before.sizes.values())
        assert len(after.sizes) <= 1.01 * len(before.sizes)
        # The refreshes, the expiries and the last accepted prices have one each.
        assert len(heaps) >= 3 * 5
        assert max(heaps) <= 2 * (count + 70) + 64
