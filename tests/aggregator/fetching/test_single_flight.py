import asyncio
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

import pytest

from meshkit.clock import SystemClock
from meshkit.errors import Unavailable
from services.aggregator.fetching.single_flight import SingleFlight
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import SourceOutcome, SourceQuote
from tests.waiting import until

PAIRS = [Pair(name, "USD") for name in "ABCDEFGHIJ"]


class HeldFetches:
    """Record the batches and hold them until `released`."""

    def __init__(self) -> None:
        self.batches: list[list[Pair]] = []
        self.filling: list[Pair] = []
        self.released = asyncio.Event()
        self.at_once = 0
        self.most_at_once = 0
        self.crash = False

    async def fetch(self, pairs: Sequence[Pair]) -> Mapping[Pair, SourceOutcome]:
        self.batches.append(list(pairs))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await self.released.wait()
        self.at_once -= 1
        if self.crash:
            raise RuntimeError("a defect")
        return {pair: SourceQuote("kraken", pair, Decimal(1), 0, 9.0) for pair in pairs}

    def fill(self, room: int, exclude: Collection[Pair]) -> list[Pair]:
        return [pair for pair in self.filling if pair not in exclude][:room]

    def single_flight(self, max_batch: int = 4) -> SingleFlight:
        return SingleFlight(
            self.fetch,
            self.fill,
            SystemClock(),
            max_batch=max_batch,
            window_s=0.01,
        )


@pytest.fixture(name="held")
async def _held() -> HeldFetches:
    return HeldFetches()


async def test_equal_requests_share_one_fetch(held: HeldFetches) -> None:
    """A hundred callers of one pair cause one fetch and get one outcome."""
    held.released.set()
    single = held.single_flight()
    outcomes = await asyncio.gather(*(single.join(PAIRS[0]).outcome for _ in range(100)))

    assert [[PAIRS[0]]] == held.batches
    assert 1 == len(set(map(id, outcomes)))


async def test_requests_of_a_short_time_share_batches(held: HeldFetches) -> None:
    """Ten pairs asked at once need as few batches of four as possible."""
    held.released.set()
    single = held.single_flight()
    await asyncio.gather(*(single.join(pair).outcome for pair in PAIRS))

    assert [PAIRS[:4], PAIRS[4:8], PAIRS[8:]] == held.batches


async def test_a_batch_is_filled_up(held: HeldFetches) -> None:
    """Room in the last batch is used for other pairs, which then are being fetched too."""
    held.filling = PAIRS
    single = held.single_flight()
    first = single.join(PAIRS[9])
    await until(lambda: bool(held.batches))
    joined = single.join(PAIRS[0])
    held.released.set()
    await asyncio.gather(first.outcome, joined.outcome)

    assert [[PAIRS[9], *PAIRS[:3]]] == held.batches


async def test_a_source_without_batches_is_asked_at_once_for_each_pair(held: HeldFetches) -> None:
    """Each pair is a fetch of its own."""
    held.released.set()
    single = held.single_flight(max_batch=1)
    await asyncio.gather(*(single.join(pair).outcome for pair in PAIRS))

    assert [[pair] for pair in PAIRS] == held.batches


async def test_a_fetch_goes_on_when_its_caller_leaves(held: HeldFetches) -> None:
    """A cancelled caller does not cancel the fetch."""
    single = held.single_flight()
    pending = single.join(PAIRS[0])
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(pending.outcome), 0.03)
    held.released.set()

    assert isinstance(await pending.outcome, SourceQuote)


async def test_a_defect_is_an_error_for_every_caller(held: HeldFetches) -> None:
    """An exception in a fetch is every caller's error, and the pair can be asked for again."""
    held.crash = True
    held.released.set()
    single = held.single_flight()

    assert isinstance(await single.join(PAIRS[0]).outcome, Unavailable)

    held.crash = False

    assert isinstance(await single.join(PAIRS[0]).outcome, SourceQuote)


async def test_closing_ends_every_fetch(held: HeldFetches) -> None:
    """Neither a waiting pair nor one being fetched leaves its callers behind."""
    single = held.single_flight()
    running = single.join(PAIRS[0])
    await until(lambda: bool(held.batches))
    waiting = single.join(PAIRS[1])
    await single.close()

    assert [Unavailable, Unavailable] == [type(await pending.outcome) for pending in (running, waiting)]
