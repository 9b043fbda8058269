import asyncio

import pytest

from meshkit.clock import ManualClock
from services.aggregator.fetching.retry import LONGEST_BACKOFF_S, repeated
from services.aggregator.prices.errors import MalformedAnswer, ProviderFault, SourceTimeout

DOWN = ProviderFault("kraken", "down")


class Calls:
    """Calls that fail as told, repeated on a manual clock."""

    def __init__(self, *failures: Exception) -> None:
        self.clock = ManualClock()
        self.failures = list(failures)
        self.times: list[float] = []
        self.repeats = 0

    async def call(self) -> str:
        """Fail while there are failures."""
        self.times.append(self.clock.monotonic())
        if self.failures:
            raise self.failures.pop(0)
        return "answer"

    def count(self) -> None:
        """Count a repeat."""
        self.repeats += 1

    async def run(self, most: int = 100, deadline: float = 9.0) -> str:
        """Return what comes of it."""
        repeat = repeated(self.clock, deadline=deadline, may_repeat=lambda calls: calls < most, on_repeat=self.count)
        task: asyncio.Task[str] = asyncio.ensure_future(repeat(self.call))
        while not task.done():
            await asyncio.sleep(0)
            self.clock.advance(0.001)
        return await task


@pytest.mark.parametrize("failure", [DOWN, SourceTimeout("kraken", 5)])
async def test_a_fault_and_silence_are_repeated(failure: Exception) -> None:
    """Until there is an answer; each repeat is told."""
    calls = Calls(failure, failure)

    assert ("answer", 3, 2) == (await calls.run(), len(calls.times), calls.repeats)


@pytest.mark.parametrize("failure", [MalformedAnswer("kraken", "x"), ValueError("a defect")])
async def test_nothing_else_is(failure: Exception) -> None:
    """It is raised as it is."""
    calls = Calls(failure)
    with pytest.raises(type(failure)):
        await calls.run()

    assert (1, 0) == (len(calls.times), calls.repeats)


async def test_the_last_fault_is_raised_where_there_may_be_no_more() -> None:
    """After so many calls the fault is told, without another pause."""
    calls = Calls(*[DOWN] * 9)
    with pytest.raises(ProviderFault):
        await calls.run(most=4)

    assert (4, 3) == (len(calls.times), calls.repeats)


async def test_no_pause_ends_at_the_deadline_or_later() -> None:
    """A fault before a pause that would be too long is told at once; no pause is over two seconds."""
    calls = Calls(*[DOWN] * 200)
    with pytest.raises(ProviderFault):
        await calls.run()

    assert calls.times[-1] < 9.0
    assert max(later - earlier for earlier, later in zip(calls.times, calls.times[1:], strict=False)) <= (
        LONGEST_BACKOFF_S + 0.01
    )
