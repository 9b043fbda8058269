"""
No stale price, ever: whatever sources, streams, clocks and clients do, in whatever order.

Each statement of a source has a price of its own, so that every price in an answer leads back to the moment at which it
was said. Answers are looked at the moment they come, on every way that leads out of the engine: quotes of feeds and of
sources, batches, the kept texts that requests are answered with, and what fast and slow followers see.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, TypeVar
from unittest.mock import patch

import orjson
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from meshkit.clock import ManualClock
from meshkit.errors import MeshError
from services.aggregator.cache.current_quotes import QuoteChange
from services.aggregator.engine.engine import Engine
from services.aggregator.metrics import open_registry
from services.aggregator.prices.errors import ProviderFault, SourceRateLimited
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Quote, SourceQuote, Tick
from services.aggregator.sources.source import UNLIMITED, Declaration, RateLimiter, TickOutcome
from services.aggregator.streams.source_stream import Deliver, StreamState
from tests.aggregator import fakes
from tests.aggregator.bench import rendered_quotes
from tests.aggregator.fakes import BTC, ETH, NAMES

MAX_AGE_MS = 6_000
START_MS = 1_800_000_000_000
WRONG = ("0", "-1", "NaN", "Infinity", "1E+40", "undefined", None)
SOURCES = st.sampled_from(range(len(NAMES)))
PAIRS = st.sampled_from((BTC, ETH))
# Of no time, of now, on either side of the maximum age, and ahead of our clock.
AGES_MS = st.sampled_from((None, 0, 900, 5_900, 5_999, 6_000, 6_001, 3_600_000, -30_000, -70_000))
T = TypeVar("T")


@dataclass(frozen=True)
class Statement:
    """Hold when a price was said, on the monotonic clock, and of which time it said it was."""

    at: float
    exchange_time_ms: int | None


class World:
    """Remember all statements."""

    def __init__(self, clock: ManualClock, ttl_ms: int) -> None:
        self.clock = clock
        self.statements: dict[tuple[str, Pair, Decimal], Statement] = {}
        self._ttl_s = ttl_ms / 1000

    def say(self, source: str, pair: Pair, age_ms: int | None, wrong: object = "") -> Tick:
        """Return what a source says now: a price that nobody said before, or a wrong one."""
        time_ms = None if age_ms is None else self.clock.time_ms() - age_ms
        if wrong != "":
            return Tick(wrong, time_ms)
        price = 100 + Decimal(len(self.statements)) / 1_000_000
        self.statements[source, pair, price] = Statement(self.clock.monotonic(), time_ms)
        return Tick(str(price), time_ms)

    def check(self, source: str, pair: Pair, price: Decimal) -> None:
        """Fail if this price may not be in an answer now."""
        said = self.statements[source, pair, price]
        assert self.clock.monotonic() - said.at < self._ttl_s, f"{source} said {price} too long ago"
        if said.exchange_time_ms is not None:
            assert self.clock.time_ms() - said.exchange_time_ms < MAX_AGE_MS, f"{source}'s {price} is too old"
            assert said.exchange_time_ms - START_MS - said.at * 1000 <= 60_000, f"{source}'s {price} is of the future"

    def check_all(self, used: Iterable[SourceQuote]) -> None:
        """Fail if one of these prices may not be in an answer now."""
        for quote in used:
            self.check(quote.source, quote.pair, quote.price)

    def check_json(self, used: Mapping[str, Any]) -> None:
        """Fail if the price of this JSON may not be in an answer now."""
        self.check(used["source"], Pair(*used["pair"]), Decimal(used["price"]))


class TalkingSource:
    """Say a new price at each call, of the age and in the way that it is set to."""

    def __init__(self, name: str, world: World) -> None:
        self.DECLARATION = Declaration(name, "http://localhost", 10)
        self.age_ms: int | None = None
        self.wrong: object = ""
        self.failure: MeshError | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self._world = world

    async def fetch(self, pairs: Sequence[Pair], _limiter: RateLimiter = UNLIMITED) -> Mapping[Pair, TickOutcome]:
        """Return what it says."""
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return {pair: self._world.say(self.DECLARATION.name, pair, self.age_ms, self.wrong) for pair in pairs}


class TalkingStream:
    """Deliver what a test says."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.state = StreamState(True, None)
        self.deliver: Deliver = lambda _source, _pair, _tick: None

    def on_price(self, deliver: Deliver) -> None:
        """Have prices delivered there."""
        self.deliver = deliver

    def want(self, pairs: Collection[Pair]) -> None:
        """Stream everything anyway."""

    def count_crash(self) -> None:
        """Fail: no price may break anything here."""
        raise AssertionError("a price of a stream was lost by a defect")

    async def close(self) -> None:
        """Have nothing to close."""


class Prices(RuleBasedStateMachine):
    """Let three sources with streams, clients and followers do anything."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.asked: list[asyncio.Task[None]] = []
        self.slow: AsyncIterator[QuoteChange] | None = None
        # Gathering waits on the real clock, which stands still here.
        self.patch = patch("services.aggregator.streams.turn.TURN_S", 0)
        self.patch.start()

    @initialize(
        ttl_ms=st.sampled_from((1_000, 1_500, 4_999, 10_000)),
        refetch=st.booleans(),
        minimum=st.integers(1, 2),
        pinned=st.sampled_from(((), (BTC,))),
    )
    def begin(self, ttl_ms: int, refetch: bool, minimum: int, pinned: tuple[Pair, ...]) -> None:
        """Start an engine, and a follower."""
        self.clock = ManualClock(START_MS)
        self.world = World(self.clock, ttl_ms)
        self.sources = [TalkingSource(name, self.world) for name in NAMES]
        self.streams = [TalkingStream(name) for name in NAMES]
        config = fakes.settings(refetch=refetch, minimum_sources=minimum, pinned=pinned)
        timed = {name: replace(source, ttl_ms=ttl_ms, max_age_ms=MAX_AGE_MS) for name, source in config.sources.items()}
        self.engine = Engine(
            replace(config, sources=timed),
            self.sources,
            self.clock,
            open_registry(),
            self.streams,  # type: ignore[arg-type]
        )
        self.rendered = rendered_quotes(self.engine, self.clock)
        self.run(self.engine.start())
        self.run(self.begin_following())

    async def begin_following(self) -> None:
        """Have one follower look at each change at once, and one when it is told to."""
        self.asked.append(asyncio.create_task(self.follow()))
        self.slow = self.engine.answers.follow((BTC, ETH), 0)
        await self.settle()

    @rule(seconds=st.floats(0.01, 12), step_s=st.sampled_from((0.05, 0.25, 1.0)))
    def wait(self, seconds: float, step_s: float) -> None:
        """Let time go by, with everything that it brings."""

        async def steps() -> None:
            for _ in range(max(1, round(seconds / step_s))):
                self.clock.advance(step_s)
                await self.settle()

        self.run(steps())

    @rule(seconds=st.sampled_from((0.001, 0.9, 1.0, 1.5, 4.999, 6.0, 10.0)))
    def stall(self, seconds: float) -> None:
        """Let time go by while nothing of ours gets to run, and be asked the very next moment."""
        self.clock.advance(seconds)
        self.look_at_texts()

    @rule(source=SOURCES, age_ms=AGES_MS)
    def answers_are_of_this_age(self, source: int, age_ms: int | None) -> None:
        """Set of which time the source's answers are."""
        self.sources[source].age_ms, self.sources[source].wrong = age_ms, ""

    @rule(source=SOURCES, wrong=st.sampled_from(WRONG))
    def answers_are_wrong(self, source: int, wrong: object) -> None:
        """Set what the source says instead of a price."""
        self.sources[source].wrong = wrong

    @rule(source=SOURCES, limited=st.booleans())
    def fail(self, source: int, limited: bool) -> None:
        """Have the source fail, or limit us."""
        self.sources[source].failure = SourceRateLimited("x", 2_000) if limited else ProviderFault("x", "down")

    @rule(source=SOURCES)
    def hang(self, source: int) -> None:
        """Hold the source's answers back."""
        self.sources[source].gate.clear()

    @rule(source=SOURCES)
    def mend(self, source: int) -> None:
        """Let the source answer again, also what it was asked meanwhile."""
        self.sources[source].failure = None
        self.sources[source].gate.set()
        self.run(self.settle())

    @rule(source=SOURCES, pair=PAIRS, age_ms=AGES_MS, wrong=st.one_of(st.just(""), st.sampled_from(WRONG)))
    def stream(self, source: int, pair: Pair, age_ms: int | None, wrong: object) -> None:
        """Have the stream bring a price, or what is none."""

        async def tick() -> None:
            self.streams[source].deliver(NAMES[source], pair, self.world.say(NAMES[source], pair, age_ms, wrong))
            await self.settle()

        self.run(tick())

    @rule(source=SOURCES, pair=PAIRS, way=st.integers(0, 3))
    def ask(self, source: int, pair: Pair, way: int) -> None:
        """Ask for a feed, for a source's price, or for a batch; the answer may come later."""
        name = NAMES[source]

        async def question() -> None:
            try:
                if way == 0:
                    self.world.check_all((await self.engine.answers.quote(pair, timeout_s=0.02)).sources)
                elif way == 1:
                    self.world.check_all([await self.engine.answers.source_quote(name, pair, timeout_s=0.02)])
                elif way == 2:
                    self.world.check_all((await self.engine.answers.mapped_quote(name, pair, timeout_s=0.02)).sources)
                else:
                    # A price may expire while another one is awaited; who answers with batches looks again.
                    now = self.clock.monotonic()
                    for _, result in await self.engine.answers.quotes((BTC, ETH), timeout_s=0.02):
                        if isinstance(result, Quote) and self.clock.monotonic() == now:
                            self.world.check_all(result.sources)
            except MeshError:
                return

        async def put() -> None:
            self.asked.append(asyncio.create_task(question()))
            await self.settle()

        self.run(put())

    @rule()
    def look_at_texts(self) -> None:
        """Look at the kept texts that a request would be answered with at once."""
        for text in self.rendered.texts((BTC, ETH)):
            if text is not None:
                for used in orjson.loads(b"{" + text.removeprefix(b","))["sources"]:
                    self.world.check_json(used)
        for name in NAMES:
            for pair in (BTC, ETH):
                if (text := self.rendered.source_text(name, pair)) is not None:
                    self.world.check_json(orjson.loads(text))

    @rule()
    def look_slowly(self) -> None:
        """Have the slow follower take its next change, if there is one."""
        self.run(self.look())

    @rule(seconds=st.sampled_from((0.5, 1.5, 5.0, 10.0)))
    def look_again_later(self, seconds: float) -> None:
        """Have the slow follower take a change, be busy with it for a while, and come back before anybody else."""
        self.run(self.look())
        self.run(self.look(seconds))

    async def look(self, busy_s: float = 0.0) -> None:
        """Have the slow follower take its next change after this time, if there is one."""
        taken = asyncio.create_task(self.take())
        self.clock.advance(busy_s)
        await self.settle()
        if taken.done():
            taken.result()
            return
        # There is no change to take. The wait for one would make it a fast follower, so another one begins.
        taken.cancel()
        await asyncio.gather(taken, return_exceptions=True)
        self.slow = self.engine.answers.follow((BTC, ETH), 0)

    async def take(self) -> None:
        """Look at the next change of the slow follower."""
        assert self.slow is not None
        self.check_change(await anext(self.slow))

    async def follow(self) -> None:
        """Look at each change at once."""
        async for change in self.engine.answers.follow((BTC, ETH), 0):
            self.check_change(change)

    def check_change(self, change: QuoteChange) -> None:
        """Fail if a follower may not see this now."""
        if isinstance(change.result, Quote):
            self.world.check_all(change.result.sources)

    async def settle(self) -> None:
        """Let everything that is due happen, and fail with what an answer failed with."""
        for _ in range(12):
            await asyncio.sleep(0)
        for task in [task for task in self.asked if task.done()]:
            self.asked.remove(task)
            task.result()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what the work returns."""
        return self.runner.run(work)

    def teardown(self) -> None:
        """End everything."""

        async def end() -> None:
            for task in self.asked:
                task.cancel()
            await asyncio.gather(*self.asked, return_exceptions=True)
            if self.slow is not None:
                await self.slow.aclose()  # type: ignore[attr-defined]
            await self.engine.close()

        self.run(end())
        self.runner.close()
        self.patch.stop()


class TestPrices(Prices.TestCase):  # type: ignore[misc, valid-type]
    settings = settings(max_examples=80, stateful_step_count=40)


@pytest.mark.campaign
@pytest.mark.timeout(1_800)
class TestManyPrices(Prices.TestCase):  # type: ignore[misc, valid-type]
    settings = settings(max_examples=2_000, stateful_step_count=80)
