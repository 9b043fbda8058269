"""Long runs on a simulated clock: nothing grows, and nothing stale is served."""

import asyncio
import gc
from collections.abc import Sized
from dataclasses import dataclass, replace
from decimal import Decimal
from types import ModuleType

from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregator.config import AggregatorConfig, SourceConfig
from services.aggregator.engine import Engine
from services.aggregator.errors import ProviderFault
from services.aggregator.pair import Pair
from services.aggregator.quote import Quote, SourceQuote
from tests.aggregator import fakes
from tests.aggregator.bench import Bench, bench
from tests.aggregator.fakes import BTC


def config(pairs: int, ttl_ms: int = 10_000) -> AggregatorConfig:
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


async def test_an_hour_with_a_thousand_pairs_leaves_nothing_behind() -> None:
    """Sixty minutes of refreshes, requests, faults and pairs that come and go: no container grows, heaps included."""
    settings_ = replace(
        config(1_000, 120_000), inactive_timeout_ms=300_000, cleanup_interval_ms=30_000, jump_guard_bps=1_000
    )
    pairs = list(settings_.feeds)
    async with bench(settings_, max_batch=200) as b:
        source = b.sources[0]
        source.prices = dict.fromkeys(pairs, "1")

        async def minute(number: int) -> None:
            visitors = [Pair(f"V{number}x{each}", "USD") for each in range(10)]
            source.prices.update(dict.fromkeys(visitors, "2"))
            # Each pair is asked for every three minutes, so that it stays.
            task = asyncio.create_task(b.engine.quotes(pairs if number == 1 else pairs[number % 3 :: 3]))
            others = [asyncio.create_task(b.engine.source_quote("kraken", pair)) for pair in visitors]
            others.append(asyncio.create_task(b.engine.source_quote("kraken", Pair(f"N{number}", "USD"))))
            source.failure = ProviderFault("kraken", "down") if number % 7 == 0 else None
            await b.run(4, 0.25)
            source.failure = None
            await b.run(56, 1.0)
            await asyncio.gather(task, *others, return_exceptions=True)
            for visitor in visitors:
                del source.prices[visitor]
            source.calls.clear()

        # Refreshes repeat every 2 minutes, requests every 3, faults every 7: after 42 minutes all is as it was.
        for number in range(1, 19):
            await minute(number)
        before = measured(b.engine)
        heaps: list[int] = []
        for number in range(19, 61):
            await minute(number)
            if number % 10 == 0:
                heaps += measured(b.engine).heaps
        after = measured(b.engine)

        assert 1_000 <= len(b.engine.pairs("kraken")) <= 1_070
        assert sum(after.sizes.values()) <= 1.01 * sum(before.sizes.values())
        assert len(after.sizes) <= 1.01 * len(before.sizes)
        # The refreshes, the expiries, the prices and the last accepted prices have one each.
        assert len(heaps) >= 4 * 5
        assert max(heaps) <= 2 * 1_070 + 64


MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.floats(0.01, 12)),
        st.tuples(st.just("price"), st.integers(0, 2)),
        st.tuples(st.just("fail"), st.integers(0, 2)),
        st.tuples(st.just("hang"), st.integers(0, 2)),
        st.tuples(st.just("mend"), st.integers(0, 2)),
        st.tuples(st.just("ask"), st.integers(0, 2)),
    ),
    min_size=5,
    max_size=25,
)


@settings(max_examples=60)
@given(MOVES, st.sampled_from([1_000, 1_500, 4_999, 10_000]), st.booleans())
def test_nothing_stale_is_ever_served(moves: list[tuple[str, float]], ttl_ms: int, refetch: bool) -> None:
    """Whatever sources and clients do, each price in an answer was said by its source within the time to live."""
    asyncio.run(play(moves, ttl_ms, refetch=refetch))


async def play(moves: list[tuple[str, float]], ttl_ms: int, *, refetch: bool) -> None:
    """Make the moves, and check every answer that comes during them."""
    base = fakes.settings(refetch=refetch)
    made = Bench(replace(base, sources={n: replace(s, ttl_ms=ttl_ms) for n, s in base.sources.items()}))
    # What each source said last, and when it was last asked with that answer.
    said: dict[str, dict[Decimal, float]] = {source.DECLARATION.name: {} for source in made.sources}
    for source in made.sources:
        listen(source, said[source.DECLARATION.name], made)
    asked: list[asyncio.Task[Quote | SourceQuote]] = []
    await made.engine.start()
    for number, (move, value) in enumerate(moves):
        source = made.sources[int(value) % 3]
        if move == "wait":
            await made.run(value, 0.25)
        elif move == "price":
            source.prices[BTC] = f"{100 + number / 1000:.3f}"
        elif move == "fail":
            source.failure = ProviderFault(source.DECLARATION.name, "down")
        elif move == "hang":
            source.gate.clear()
        elif move == "mend":
            source.failure = None
            source.gate.set()
        else:
            asked.append(asyncio.create_task(made.engine.quote(BTC, timeout_s=0.02)))
            asked.append(asyncio.create_task(made.engine.source_quote(source.DECLARATION.name, BTC, timeout_s=0.02)))
            for task in asked[-2:]:
                task.add_done_callback(lambda task: check(task, said, made, ttl_ms))
            await made.run(0.3)
    await asyncio.wait(asked, timeout=5) if asked else None
    await made.engine.close()
    wrong = [task.get_name() for task in asked if task.get_name().startswith("stale")]

    assert [] == wrong


def listen(source: fakes.ScriptedSource, said: dict[Decimal, float], made: Bench) -> None:
    """Note when the source says a price."""
    answer = source.fetch

    async def fetch(pairs: list[Pair]) -> object:
        ticks = await answer(pairs)
        said[Decimal(str(source.prices[BTC]))] = made.clock.monotonic()
        return ticks

    source.fetch = fetch  # type: ignore[method-assign, assignment]


def check(
    task: "asyncio.Task[Quote | SourceQuote]", said: dict[str, dict[Decimal, float]], made: Bench, ttl_ms: int
) -> None:
    """Rename the task if its answer has a price that is too old."""
    if task.cancelled() or task.exception() is not None:
        return
    result = task.result()
    for used in result.sources if isinstance(result, Quote) else (result,):
        age_s = made.clock.monotonic() - said[used.source].get(used.price, float("-inf"))
        if age_s >= ttl_ms / 1000:
            task.set_name(f"stale {used.source} {used.price} after {age_s} s")
