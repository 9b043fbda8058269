"""Calls of a source on a manual clock: what is repeated, when, and what the source is spared."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction

import pytest
from structlog.testing import capture_logs

from meshkit.clock import ManualClock
from meshkit.errors import Internal, MeshError
from services.aggregator.fetching.circuit_breaker import FAILURES_TO_OPEN, CircuitState
from services.aggregator.fetching.source_caller import MOST_DIVISIONS, SourceCaller
from services.aggregator.metrics import open_registry
from services.aggregator.prices.errors import (
    AccessRefused,
    MalformedAnswer,
    ProviderFault,
    SourceBusy,
    SourceRateLimited,
    SourceTimeout,
    UnknownPair,
)
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.sources.settings import SourceConfig
from services.aggregator.sources.source import UNLIMITED, RateLimiter, TickOutcome
from tests.aggregator.fakes import BTC, ScriptedSource

SETTINGS = SourceConfig("kraken", ttl_ms=10_000)
DOWN = ProviderFault("kraken", "down")


class Line:
    """A caller of a source that fails as often as told."""

    def __init__(self, settings: SourceConfig = SETTINGS, *failures: MeshError | Exception) -> None:
        self.clock = ManualClock(1_800_000_000_000)
        self.failures = list(failures)
        self.source = ScriptedSource("kraken", prices={BTC: "1"})
        self.times: list[float] = []
        self._answer: Callable[[Sequence[Pair]], Awaitable[Mapping[Pair, TickOutcome]]] = self.source.fetch
        self.source.fetch = self._fetch  # type: ignore[method-assign]
        self.caller = SourceCaller(self.source, settings, self.clock, open_registry(), deadline_s=9.0)

    async def _fetch(self, pairs: Sequence[Pair], _limiter: RateLimiter = UNLIMITED) -> Mapping[Pair, TickOutcome]:
        self.times.append(self.clock.monotonic())
        if self.failures:
            raise self.failures.pop(0)
        return await self._answer(pairs)

    async def ask(self, longest_s: float = 30.0) -> Mapping[Pair, TickOutcome]:
        """Return the outcomes of a fetch while the clock runs."""
        task = asyncio.create_task(self.caller.fetch([BTC]))
        for _ in range(round(longest_s / 0.01)):
            for _ in range(8):
                await asyncio.sleep(0)
            if task.done():
                break
            self.clock.advance(0.01)
        return await task


@pytest.mark.parametrize("failure", [DOWN, SourceTimeout("kraken", 5)])
async def test_a_fault_is_repeated_after_a_pause(failure: MeshError) -> None:
    """Two faults and then an answer are a success; pauses are short at first and never over two seconds."""
    line = Line(SETTINGS, failure, failure)
    await line.ask()
    first, second, third = line.times

    assert 0 < second - first <= 0.12
    assert 0 < third - second <= 0.22
    assert CircuitState.CLOSED is line.caller.circuit.state(line.clock.monotonic())


@pytest.mark.parametrize(
    "failure",
    [
        SourceRateLimited("kraken", 5),
        UnknownPair(BTC, "kraken"),
        MalformedAnswer("kraken", "x"),
        AccessRefused("kraken", "x"),
        ValueError("a defect"),
    ],
)
async def test_nothing_else_is_repeated(failure: Exception) -> None:
    """A limit, an unknown pair, a refusal and an answer that cannot be read are told at once."""
    line = Line(SETTINGS, failure)
    with pytest.raises(Internal if isinstance(failure, ValueError) else type(failure)):
        await line.ask()

    assert [0.0] == line.times


@pytest.mark.parametrize("retries", [0, 1, 3])
async def test_the_number_of_repeats_is_bounded(retries: int) -> None:
    """After maxRetries repeats the fault is told."""
    line = Line(replace(SETTINGS, max_retries=retries), *[DOWN] * 10)
    with pytest.raises(ProviderFault):
        await line.ask()

    assert retries + 1 == len(line.times)


async def test_no_source_is_blamed_for_a_turn_that_came_too_late() -> None:
    """On a machine that was held up until the deadline, a call without an answer says nothing of the source."""
    line = Line(replace(SETTINGS, rps=Fraction(1, 5), max_retries=0))
    await line.ask()
    line.source.gate.clear()
    task = asyncio.create_task(line.caller.fetch([BTC]))
    for _ in range(8):
        await asyncio.sleep(0)
    line.clock.advance(20.0)
    for _ in range(8):
        await asyncio.sleep(0)
    line.clock.advance(0.0)

    with pytest.raises(SourceBusy):
        await task
    assert (True, "") == (line.caller.health.available, line.caller.health.last_error)
    assert 2 == len(line.times)


async def test_a_hanging_source_is_left_at_the_deadline() -> None:
    """A call without an answer, also from a client without a time-out of its own, ends with the fetch's time."""
    line = Line(replace(SETTINGS, timeout_ms=1_000))
    line.source.gate.clear()
    with pytest.raises(SourceTimeout):
        await line.ask()

    assert 9.0 == pytest.approx(line.clock.monotonic(), abs=0.05)
    assert 0 == line.caller.queue.running


async def test_a_source_that_keeps_failing_is_spared() -> None:
    """In a minute without an answer, it is called some twenty times, however often it is asked for; then it is back."""
    line = Line(SETTINGS, *[DOWN] * 1_000)
    for _ in range(600):
        with pytest.raises(ProviderFault):
            await line.ask()
        line.clock.advance(0.1)

    assert FAILURES_TO_OPEN < len(line.times) <= 22

    line.failures.clear()
    line.clock.advance(5.0)
    await line.ask()

    assert CircuitState.CLOSED is line.caller.circuit.state(line.clock.monotonic())
    assert line.caller.health.available


async def test_a_cool_down_reaches_those_who_wait() -> None:
    """A fetch that was waiting for its turn when the limit answer came does not call the source."""
    line = Line(replace(SETTINGS, max_concurrent=1), SourceRateLimited("kraken", 20_000))
    first, second = (asyncio.create_task(line.caller.fetch([BTC])) for _ in range(2))
    await asyncio.wait([first, second], timeout=5)

    assert [SourceRateLimited] * 2 == [type(first.exception()), type(second.exception())]
    assert 1 == len(line.times)

    line.clock.advance(20)
    await line.ask()


async def test_a_limit_does_not_open_the_circuit() -> None:
    """The source is there, and says how long to wait."""
    line = Line(SETTINGS, *[SourceRateLimited("kraken", 5)] * 20)
    for _ in range(20):
        with pytest.raises(SourceRateLimited):
            await line.ask()
        line.clock.advance(0.01)

    assert CircuitState.CLOSED is line.caller.circuit.state(line.clock.monotonic())


async def test_repeats_are_calls_too() -> None:
    """At one call in ten seconds, a repeat would be too late: the fetch ends with the time to try again."""
    line = Line(replace(SETTINGS, rps=Fraction(1, 10), timeout_ms=1_000), DOWN)
    with pytest.raises(SourceBusy) as caught:
        await line.ask()

    assert 9_000 < caught.value.retry_after_ms <= 10_000
    assert 1 == len(line.times)


async def test_a_refusal_is_told_once_and_asked_about_seldom() -> None:
    """In ten minutes of refusals the source is called a few times, and the log has one line from the start."""
    line = Line(SETTINGS, *[AccessRefused("kraken", "HTTP 451")] * 1_000)
    with capture_logs() as logs:
        for _ in range(6_000):
            with pytest.raises(AccessRefused):
                await line.ask()
            line.clock.advance(0.1)

    assert 4 == len(line.times)
    assert CircuitState.CLOSED is line.caller.circuit.state(line.clock.monotonic())
    (told,) = [entry for entry in logs if entry["event"] == "source_availability"]
    assert ("warning", False, "kraken: HTTP 451") == (told["log_level"], told["available"], told["error"])


async def test_each_way_to_fail_is_told_once() -> None:
    """A change is news, what goes on is none."""
    malformed = MalformedAnswer("kraken", "x")
    line = Line(SETTINGS, malformed, malformed, UnknownPair(BTC, "kraken"), malformed)
    with capture_logs() as logs:
        for _ in range(5):
            with suppress(MeshError):
                await line.ask()

    assert [False, True, False, True] == [entry["available"] for entry in logs if "available" in entry]


class Choosy(ScriptedSource):
    """A source that refuses every question with certain pairs in it."""

    def __init__(self, bad: Sequence[Pair]) -> None:
        super().__init__("kraken")
        self.bad = bad

    async def fetch(self, pairs: Sequence[Pair], _limiter: RateLimiter = UNLIMITED) -> Mapping[Pair, TickOutcome]:
        """Return prices, or refuse as a whole."""
        self.calls.append(list(pairs))
        if set(self.bad) & set(pairs):
            raise ProviderFault("kraken", "HTTP 400, code 'new words'", refuses_question=True)
        return {pair: Tick("1") for pair in pairs}


PAIRS = [Pair(f"C{number}", "USD") for number in range(100)]


@pytest.mark.parametrize("bad", [PAIRS[:1], PAIRS[99:], [PAIRS[3], PAIRS[70]], []])
async def test_a_refused_question_costs_the_pair_that_makes_it_so(bad: list[Pair]) -> None:
    """All others have their prices, in a few calls, and the circuit stays closed however often it is asked."""
    source = Choosy(bad)
    caller = SourceCaller(source, SETTINGS, ManualClock(), open_registry(), deadline_s=9.0)
    for _ in range(FAILURES_TO_OPEN + 1):
        source.calls.clear()
        found = await caller.fetch(PAIRS)

        assert set(bad) == {pair for pair, outcome in found.items() if isinstance(outcome, ProviderFault)}
        assert len(PAIRS) == len(found)
        assert len(source.calls) <= 1 + 14 * len(bad)
        # A pair alone is no reason to leave the source alone either.
        for pair in bad:
            assert isinstance((await caller.fetch([pair]))[pair], ProviderFault)
    assert CircuitState.CLOSED is caller.circuit.state(0.0)


async def test_a_source_that_refuses_every_question_is_at_fault() -> None:
    """Where no pair has a price the refusal is the source's, after a bounded number of calls."""
    source = Choosy(PAIRS)
    caller = SourceCaller(source, replace(SETTINGS, max_retries=0), ManualClock(), open_registry(), deadline_s=9.0)
    for _ in range(FAILURES_TO_OPEN):
        with pytest.raises(ProviderFault):
            await caller.fetch(PAIRS)

    assert len(source.calls) <= FAILURES_TO_OPEN * (1 + 2 * MOST_DIVISIONS)
    assert CircuitState.OPEN is caller.circuit.state(0.0)
