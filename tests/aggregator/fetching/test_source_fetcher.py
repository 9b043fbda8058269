import asyncio
from decimal import Decimal
from itertools import groupby

from meshkit.clock import SystemClock
from services.aggregator.fetching.failures import RecentFailures
from services.aggregator.fetching.source_fetcher import ACCEPTED_TOGETHER, SourceFetcher
from services.aggregator.metrics import open_registry
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import SourceOutcome, SourceQuote
from tests.aggregator.fakes import ScriptedSource, settings


async def test_a_large_batch_leaves_others_their_turn() -> None:
    """Between a few prices and the next ones, whatever else waits on the loop runs; every price is taken in."""
    seen: list[str] = []
    pairs = [Pair(f"A{number}", "USD") for number in range(20 * ACCEPTED_TOGETHER)]
    source = ScriptedSource("kraken", len(pairs), dict.fromkeys(pairs, "1"))

    def accept(_fetcher: SourceFetcher, pair: Pair, *_said: object) -> SourceOutcome:
        seen.append(pair.base)
        return SourceQuote("kraken", pair, Decimal(1), 0, 9.0)

    fetcher = SourceFetcher(
        source,
        settings("kraken"),
        SystemClock(),
        open_registry(),
        failures=RecentFailures(SystemClock()),
        accept=accept,
        fill=lambda _source, _room, _exclude: (),
    )

    async def other() -> None:
        while True:
            await asyncio.sleep(0)
            seen.append("")

    fetches = [fetcher.fetch(pair) for pair in pairs]
    task = asyncio.create_task(other())
    await asyncio.gather(*(fetch.outcome for fetch in fetches))
    task.cancel()
    await fetcher.close()

    assert [pair.base for pair in pairs] == [base for base in seen if base]
    assert max(len(list(row)) for is_price, row in groupby(seen, bool) if is_price) <= ACCEPTED_TOGETHER
