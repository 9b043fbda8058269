"""Results that hold together: an answer comes in time, also where each look at the clock finds prices expired."""

from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any

import pytest

from services.aggregator.prices.errors import QuoteTimeout
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Quote, QuoteStatus, Result
from services.aggregator.web.batch import BatchRoute, present
from services.aggregator.web.fresh_results import FreshResults
from tests.aggregator.bench import Bench
from tests.aggregator.fakes import BTC, ETH, NAMES, settings


class LateAnswers:
    """The answers of an engine on a machine so busy that `late_s` pass before an answer can be looked at."""

    def __init__(self, bench: Bench, late_s: float) -> None:
        self._bench = bench
        self._late_s = late_s
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bench.engine.answers, name)

    async def quotes(
        self, pairs: Sequence[Pair], *, sources: Collection[str] | None = None, timeout_s: float | None = None
    ) -> list[tuple[Pair, Result]]:
        """Return the results of then, now."""
        self.asked += 1
        assert self.asked < 20, "it goes round in circles"
        found = await self._bench.engine.answers.quotes(pairs, sources=sources, timeout_s=timeout_s)
        self._bench.clock.advance(self._late_s)
        return found


@pytest.fixture(name="bench")
async def _bench() -> AsyncIterator[Bench]:
    """Give an engine whose sources' prices of BTC/USD are 0.1, 3.5 and 6.9 s old."""
    bench = Bench(settings(refetch=False), max_batch=1)
    for source in NAMES:
        for pair in (BTC, ETH):
            await bench.engine.answers.source_quote(source, pair)
        bench.clock.advance(3.4 if source != NAMES[-1] else 0.1)
    yield bench
    await bench.engine.close()


async def test_a_price_that_expired_on_the_way_is_made_of_the_others(bench: Bench) -> None:
    """Where the oldest price expires while the process is held up, the answer is of those that are left, at once."""
    late = LateAnswers(bench, 4.0)
    now_ms, ((_, result),) = await present(late, bench.engine.sources, bench.clock, [BTC], None)  # type: ignore[arg-type]

    assert isinstance(result, Quote)
    assert (1, bench.clock.time_ms(), QuoteStatus.DEGRADED) == (late.asked, now_ms, result.status)
    assert [NAMES[1], NAMES[2]] == [used.source for used in result.sources]
    assert result.expires_at > bench.clock.monotonic()


async def test_chosen_sources_stay_chosen(bench: Bench) -> None:
    """What is made of the kept prices of some sources is for this answer only, not the feed's price."""
    late = LateAnswers(bench, 4.0)
    _, ((_, result),) = await present(late, bench.engine.sources, bench.clock, [BTC], NAMES)  # type: ignore[arg-type]

    assert isinstance(result, Quote)
    assert (1, [NAMES[1], NAMES[2]]) == (late.asked, [used.source for used in result.sources])
    assert bench.engine.ready.get(BTC, bench.clock.monotonic()) is None


@pytest.mark.parametrize("late_s", [10.0, 11.0, 60.0])
async def test_an_answer_is_an_error_once_its_time_is_over(bench: Bench, late_s: float) -> None:
    """If no price lives until it is looked at, bridges and batches are told so instead of waiting on and on."""
    late: Any = LateAnswers(bench, late_s)
    _, results = await present(late, bench.engine.sources, bench.clock, [BTC, ETH, BTC], None)
    text = await BatchRoute(late, bench.rendered, bench.engine.sources, bench.clock)._made(
        BatchRoute(bench.engine.answers, bench.rendered, bench.engine.sources, bench.clock).read("BTC-USD", None, None)
    )

    assert [(BTC, QuoteTimeout), (ETH, QuoteTimeout)] == [(pair, type(result)) for pair, result in results]
    assert b"QUOTE_TIMEOUT" in text
    assert 2 == late.asked


async def test_results_that_hold_stay_when_the_time_is_over(bench: Bench) -> None:
    """Only what has no price at the end is an error."""
    results = FreshResults(bench.engine.answers, bench.clock, None)
    await results.ask([BTC])
    bench.clock.advance(bench.engine.answers.longest_wait_s - 8.0)
    quote = results[BTC]

    assert [] == results.missing([BTC], bench.clock.monotonic())
    assert [] == results.missing([BTC, ETH], bench.clock.monotonic() + 8.0)
    assert isinstance(results[ETH], QuoteTimeout)
    assert isinstance(quote, Quote)
