"""How long a quote waits for the sources that have not answered yet, on simulated time."""

import asyncio
from decimal import Decimal

import pytest

from meshkit.clock import SystemClock
from services.aggregator.engine.pending_prices import GRACE_S, outcome_of, wait_for_prices
from services.aggregator.fetching.single_flight import PendingFetch
from services.aggregator.prices.errors import ProviderFault, QuoteTimeout
from services.aggregator.prices.quote import SourceOutcome, SourceQuote
from tests import simulated_time
from tests.aggregator.fakes import BTC

QUOTE = SourceQuote("kraken", BTC, Decimal(1), 0, 9.0)
DOWN = ProviderFault("kraken", "down")


class LoopClock(SystemClock):
    """The clock of the loop that runs."""

    def monotonic(self) -> float:
        """Return the loop's moment."""
        return asyncio.get_running_loop().time()


def waited(answers: list[tuple[float, SourceOutcome]], fresh: int, needed: int, wait_s: float = 9.0) -> float:
    """Return how long is waited for fetches of now with these answers after so many seconds."""

    async def wait() -> float:
        loop = asyncio.get_running_loop()
        fetches = []
        for after_s, outcome in answers:
            fetches.append(PendingFetch(loop.time(), loop.create_future()))
            loop.call_later(after_s, fetches[-1].outcome.set_result, outcome)
        await wait_for_prices(fetches, fresh, needed, wait_s, LoopClock())
        return loop.time()

    return simulated_time.run(wait())


@pytest.mark.parametrize(
    ("answers", "fresh", "needed", "expected"),
    [
        ([], 3, 2, 0.0),
        ([(0.1, QUOTE), (0.2, QUOTE)], 0, 2, 0.2),
        # Enough prices: the slow one has the grace time since its fetch began.
        ([(0.1, QUOTE), (0.2, QUOTE), (5.0, QUOTE)], 0, 2, GRACE_S),
        ([(5.0, QUOTE)], 2, 2, GRACE_S),
        ([(1.0, QUOTE), (1.5, QUOTE), (5.0, QUOTE)], 0, 2, 1.5),
        # A failure is no price.
        ([(0.1, DOWN), (3.0, QUOTE)], 1, 2, 3.0),
        ([(0.1, DOWN), (3.0, DOWN)], 1, 2, 3.0),
        # Who never answers is waited for until the time is over.
        ([(0.1, QUOTE), (99.0, QUOTE)], 0, 2, 9.0),
    ],
)
def test_with_enough_prices_a_slow_source_is_not_waited_for(
    answers: list[tuple[float, SourceOutcome]], fresh: int, needed: int, expected: float
) -> None:
    """It has a quarter of a second since its fetch began; without enough of them all the time there is."""
    assert expected == pytest.approx(waited(answers, fresh, needed), abs=1e-6)


def test_a_fetch_that_goes_on_is_a_timeout() -> None:
    """What was found, what came of a fetch, and a fetch that is still under way."""

    async def look() -> list[SourceOutcome]:
        ended, running = (PendingFetch(0.0, asyncio.get_running_loop().create_future()) for _ in range(2))
        ended.outcome.set_result(DOWN)
        return [outcome_of(found, BTC, "kraken", 1.5) for found in (QUOTE, ended, running)]

    found, failed, late = simulated_time.run(look())

    assert (QUOTE, DOWN) == (found, failed)
    assert isinstance(late, QuoteTimeout)
    assert (BTC, "kraken", 1_500) == (late.pair, late.source, late.timeout_ms)
