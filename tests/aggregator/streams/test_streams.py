"""Prices of all streams on their way to the keeper."""

import asyncio
from collections.abc import Iterable
from decimal import Decimal
from itertools import groupby
from typing import cast

from services.aggregator.pair import Pair
from services.aggregator.quote import Tick
from services.aggregator.streams.source_stream import Deliver, SourceStream
from services.aggregator.streams.streams import TOGETHER, Streams
from tests.waiting import until


class Tap:
    """A stream whose prices the test makes."""

    source = "kraken"

    def on_price(self, deliver: Deliver) -> None:
        """Keep where prices go."""
        self.deliver = deliver

    def want(self, _pairs: Iterable[Pair]) -> None:
        """Want nothing."""

    async def close(self) -> None:
        """Have nothing to close."""


async def test_a_flood_of_prices_leaves_others_their_turn() -> None:
    """Between a few prices and the next ones, whatever else waits on the loop runs; every price arrives."""
    seen: list[str] = []
    tap = Tap()
    streams = Streams(
        [cast(SourceStream, tap)], pairs=lambda _source: (), deliver=lambda _source, pair, _tick: seen.append(pair.base)
    )

    async def other() -> None:
        while True:
            await asyncio.sleep(0)
            seen.append("")

    pairs = [Pair(f"A{number}", "USD") for number in range(20 * TOGETHER)]
    for pair in pairs:
        tap.deliver("kraken", pair, Tick(Decimal(1)))
    task = asyncio.create_task(other())
    await until(lambda: pairs[-1].base in seen, "the last price")
    task.cancel()
    await streams.close()

    assert [pair.base for pair in pairs] == [base for base in seen if base]
    assert max(len(list(row)) for is_price, row in groupby(seen, bool) if is_price) <= TOGETHER
