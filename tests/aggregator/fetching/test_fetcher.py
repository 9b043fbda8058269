import asyncio
from itertools import groupby

import pytest

from meshkit.clock import SystemClock
from meshkit.errors import MeshError
from services.aggregator.fetching.fetcher import LANDED_TOGETHER, Fetcher, retry_delay_s
from services.aggregator.metrics import open_registry
from services.aggregator.prices.errors import ProviderFault, SourceRateLimited, SourceTimeout, UnknownPair
from services.aggregator.prices.pair import Pair
from tests.aggregator.fakes import BTC, ScriptedSource, settings


@pytest.mark.parametrize(
    ("error", "count", "expected"),
    [
        (ProviderFault("kraken", "x"), 1, 0.25),
        (ProviderFault("kraken", "x"), 2, 0.5),
        (SourceTimeout("kraken", 5), 5, 4.0),
        (SourceTimeout("kraken", 5), 6, 5.0),
        (SourceTimeout("kraken", 5), 10**9, 5.0),
        (UnknownPair(BTC, "kraken"), 1, 60.0),
        (SourceRateLimited("kraken", 1500), 7, 1.5),
    ],
)
def test_a_failure_decides_when_to_ask_again(error: MeshError, count: int, expected: float) -> None:
    """Faults double up to five seconds, a limit waits as told, an unknown pair a minute."""
    assert expected == retry_delay_s(error, count)


async def test_a_large_batch_leaves_others_their_turn() -> None:
    """Between a few landed prices and the next ones, whatever else waits on the loop runs; every price lands."""
    seen: list[str] = []
    pairs = [Pair(f"A{number}", "USD") for number in range(20 * LANDED_TOGETHER)]
    source = ScriptedSource("kraken", len(pairs), dict.fromkeys(pairs, "1"))
    fetcher = Fetcher(
        source,
        settings("kraken"),
        SystemClock(),
        open_registry(),
        fill=lambda _source, _room, _exclude: (),
        deliver=lambda _source, pair, _outcome, _next_at: seen.append(pair.base),
        reference=lambda _source, _pair: None,
    )

    async def other() -> None:
        while True:
            await asyncio.sleep(0)
            seen.append("")

    flights = [fetcher.join(pair) for pair in pairs]
    task = asyncio.create_task(other())
    await asyncio.gather(*(flight.landed for flight in flights))
    task.cancel()
    await fetcher.close()

    assert [pair.base for pair in pairs] == [base for base in seen if base]
    assert max(len(list(row)) for is_price, row in groupby(seen, bool) if is_price) <= LANDED_TOGETHER
