"""Prices of all streams on their way to the cache."""

import asyncio
from collections.abc import Iterable
from decimal import Decimal
from itertools import groupby
from typing import cast

from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
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


async def test_what_follows_from_prices_is_not_put_off_for_ever() -> None:
    """After each turn all that follows from its prices is done, however fast further prices come."""
    seen: list[str] = []
    tap = Tap()
    left = 0

    def settle(most: int) -> bool:
        nonlocal left
        left -= min(most, left)
        seen.append("done" if not left else "more")
        return left > 0

    def deliver(source: str, pair: Pair, tick: Tick) -> None:
        nonlocal left
        left += 1
        seen.append("price")
        # Whatever is handed over, the next price of the pair is there already.
        tap.deliver(source, pair, tick)

    streams = Streams([cast(SourceStream, tap)], pairs=lambda _source: (), deliver=deliver, settle=settle)
    for number in range(3 * TOGETHER):
        tap.deliver("kraken", Pair(f"A{number}", "USD"), Tick(Decimal(1)))
    await until(lambda: seen.count("done") == 3, "three turns")
    await streams.close()

    turn = ["price"] * 3 * TOGETHER + ["more"] * 2 + ["done"]
    assert 3 * turn == seen[: 3 * len(turn)]
