"""Wait for the prices of a feed's sources: for all of them, or with enough of them only for a moment more."""

import asyncio
from collections.abc import Iterable

from meshkit.clock import Clock
from services.aggregator.fetching.single_flight import PendingFetch
from services.aggregator.prices.errors import QuoteTimeout
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import SourceOutcome, SourceQuote

# Once enough sources have answered, a slower one gets this long since its fetch began, then the answer goes without it.
GRACE_S = 0.25


async def wait_for_prices(
    fetches: Iterable[PendingFetch], fresh: int, needed: int, wait_s: float, clock: Clock
) -> None:
    """Wait until all fetches have ended or the time is over; with `needed` prices, only for the grace time."""
    deadline = clock.monotonic() + wait_s
    pending = {fetch.outcome: fetch for fetch in fetches}
    while pending:
        until = deadline
        if fresh >= needed:
            until = min(until, max(fetch.started_at for fetch in pending.values()) + GRACE_S)
        left_s = until - clock.monotonic()
        if left_s <= 0:
            return
        done, _ = await asyncio.wait(pending, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            return
        for outcome in done:
            del pending[outcome]
            fresh += isinstance(outcome.result(), SourceQuote)


def outcome_of(found: SourceOutcome | PendingFetch, pair: Pair, source: str, wait_s: float) -> SourceOutcome:
    """Return what was found of a pair, or came of its fetch; QuoteTimeout if that is still under way after `wait_s`."""
    if not isinstance(found, PendingFetch):
        return found
    return found.outcome.result() if found.outcome.done() else QuoteTimeout(pair, source, int(wait_s * 1000))
