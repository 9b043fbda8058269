"""Prices of all streams on their way to the cache."""

import asyncio
from collections.abc import Iterable
from decimal import Decimal
from itertools import groupby
from typing import cast

from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.sources.source import TickOutcome
from services.aggregator.streams.source_stream import Deliver, SourceStream
from services.aggregator.streams.streams import Streams
from services.aggregator.streams.turn import TOGETHER
from tests import simulated_time
from tests.waiting import until


class Tap:
    """A stream whose prices the test makes."""

    def __init__(self, source: str = "kraken") -> None:
        self.source = source
        self.crashes = 0

    def count_crash(self) -> None:
        """Count a price that was lost."""
        self.crashes += 1

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

    def deliver(source: str, pair: Pair, tick: TickOutcome) -> None:
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


async def test_what_one_price_breaks_costs_that_price_only() -> None:
    """A defect that a price brings to light is counted at its source; no other price, turn or source is touched."""
    seen: list[tuple[str, Decimal]] = []
    taps = [Tap("binance"), Tap("kraken")]

    def deliver(source: str, pair: Pair, tick: TickOutcome) -> None:
        assert isinstance(tick, Tick)
        if tick.price == "odd":
            raise TypeError(pair)
        seen.append((source, Decimal(str(tick.price))))

    streams = Streams([cast(SourceStream, tap) for tap in taps], pairs=lambda _source: (), deliver=deliver)
    pairs = [Pair(f"A{number}", "USD") for number in range(2 * TOGETHER)]
    for number in (1, 2):
        for pair in pairs:
            taps[0].deliver("binance", pair, Tick("odd" if pair == pairs[3] else str(number)))
        taps[1].deliver("kraken", pairs[0], Tick(str(number)))
        await until(lambda number=number: 1 == seen.count(("kraken", Decimal(number))))  # type: ignore[misc]
        await until(lambda number=number: len(pairs) - 1 == seen.count(("binance", Decimal(number))))  # type: ignore[misc]
    await streams.close()

    assert [2, 0] == [tap.crashes for tap in taps]


async def test_what_follows_from_prices_may_break_and_comes_again() -> None:
    """A defect in making feeds of the prices ends neither this source's turns nor another's."""
    seen: list[str] = []
    taps = [Tap("binance"), Tap("kraken")]
    broken = True

    def settle(_most: int) -> bool:
        if broken:
            raise TypeError
        return False

    streams = Streams(
        [cast(SourceStream, tap) for tap in taps],
        pairs=lambda _source: (),
        deliver=lambda source, _pair, _tick: seen.append(source),
        settle=settle,
    )
    for number in (1, 2):
        for tap in taps:
            tap.deliver(tap.source, Pair("A", "USD"), Tick(Decimal(1)))
        await until(lambda number=number: 2 * number == len(seen))  # type: ignore[misc]
        broken = False
    await streams.close()

    assert [1, 1] == [tap.crashes for tap in taps]


async def test_a_claim_of_the_future_holds_up_nothing() -> None:
    """A price that says it is of 50 s later gives way to the next one that says it is of now."""
    seen: list[object] = []
    tap = Tap()
    streams = Streams(
        [cast(SourceStream, tap)],
        pairs=lambda _source: (),
        deliver=lambda _source, _pair, tick: seen.append(cast(Tick, tick).price),
    )
    tap.deliver("kraken", Pair("A", "USD"), Tick("ahead", 1_050_000, received_ms=1_000_000))
    tap.deliver("kraken", Pair("A", "USD"), Tick("true", 1_000_001, received_ms=1_000_002))
    tap.deliver("kraken", Pair("A", "USD"), Tick("behind", 999_000, received_ms=1_000_003))
    await until(lambda: bool(seen))
    await streams.close()

    assert ["true"] == seen


def test_pairs_that_are_registered_together_share_a_message() -> None:
    """A stream hears of other pairs a tenth of a second after the first change, of all of them at once."""
    registered: list[Pair] = []
    wanted: list[tuple[float, list[Pair]]] = []

    class Listening(Tap):
        def want(self, pairs: Iterable[Pair]) -> None:
            wanted.append((asyncio.get_running_loop().time(), list(pairs)))

    async def register() -> None:
        streams = Streams(
            [cast(SourceStream, Listening())], pairs=lambda _source: registered, deliver=lambda *_outcome: None
        )
        for wait_s in (0.0, 0.04, 0.05, 0.5):
            await asyncio.sleep(wait_s)
            registered.append(Pair(f"A{len(registered)}", "USD"))
            streams.change("kraken")
            streams.change("a source without a stream")
        await asyncio.sleep(1)
        await streams.close()

    simulated_time.run(register())

    assert [(0.1, registered[:3]), (0.69, registered)] == [(round(at, 6), pairs) for at, pairs in wanted]
