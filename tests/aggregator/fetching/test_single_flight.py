import asyncio
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

import pytest

from meshkit.clock import SystemClock
from meshkit.errors import Unavailable
from services.aggregator.fetching.single_flight import Flights
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import SourceOutcome, SourceQuote
from tests.waiting import until

PAIRS = [Pair(name, "USD") for name in "ABCDEFGHIJ"]


class Runway:
    """Record the batches and hold them until `gate` opens."""

    def __init__(self) -> None:
        self.batches: list[list[Pair]] = []
        self.filling: list[Pair] = []
        self.gate = asyncio.Event()
        self.at_once = 0
        self.most_at_once = 0
        self.crash = False

    async def fetch(self, pairs: Sequence[Pair]) -> Mapping[Pair, SourceOutcome]:
        self.batches.append(list(pairs))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await self.gate.wait()
        self.at_once -= 1
        if self.crash:
            raise RuntimeError("a defect")
        return {pair: SourceQuote("kraken", pair, Decimal(1), 0, 9.0) for pair in pairs}

    def fill(self, room: int, exclude: Collection[Pair]) -> list[Pair]:
        return [pair for pair in self.filling if pair not in exclude][:room]

    def flights(self, max_batch: int = 4) -> Flights:
        return Flights(
            self.fetch,
            self.fill,
            SystemClock(),
            max_batch=max_batch,
            window_s=0.01,
        )


@pytest.fixture(name="runway")
async def _runway() -> Runway:
    return Runway()


async def test_equal_requests_share_one_flight(runway: Runway) -> None:
    """A hundred callers of one pair cause one fetch and get one outcome."""
    runway.gate.set()
    flights = runway.flights()
    outcomes = await asyncio.gather(*(flights.join(PAIRS[0]).landed for _ in range(100)))

    assert [[PAIRS[0]]] == runway.batches
    assert 1 == len(set(map(id, outcomes)))


async def test_requests_of_a_short_time_share_batches(runway: Runway) -> None:
    """Ten pairs asked at once need as few batches of four as possible."""
    runway.gate.set()
    flights = runway.flights()
    await asyncio.gather(*(flights.join(pair).landed for pair in PAIRS))

    assert [PAIRS[:4], PAIRS[4:8], PAIRS[8:]] == runway.batches


async def test_a_batch_is_filled_up(runway: Runway) -> None:
    """Room in the last batch is used for other pairs, which then are in flight too."""
    runway.filling = PAIRS
    flights = runway.flights()
    first = flights.join(PAIRS[9])
    await until(lambda: bool(runway.batches))
    joined = flights.join(PAIRS[0])
    runway.gate.set()
    await asyncio.gather(first.landed, joined.landed)

    assert [[PAIRS[9], *PAIRS[:3]]] == runway.batches


async def test_a_source_without_batches_is_asked_at_once_for_each_pair(runway: Runway) -> None:
    """Each pair is a fetch of its own."""
    runway.gate.set()
    flights = runway.flights(max_batch=1)
    await asyncio.gather(*(flights.join(pair).landed for pair in PAIRS))

    assert [[pair] for pair in PAIRS] == runway.batches


async def test_a_flight_goes_on_when_its_caller_leaves(runway: Runway) -> None:
    """A cancelled caller does not cancel the fetch."""
    flights = runway.flights()
    flight = flights.join(PAIRS[0])
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(flight.landed), 0.03)
    runway.gate.set()

    assert isinstance(await flight.landed, SourceQuote)


async def test_a_defect_lands_as_an_error(runway: Runway) -> None:
    """An exception in a fetch is every caller's error, and the pair can be asked for again."""
    runway.crash = True
    runway.gate.set()
    flights = runway.flights()

    assert isinstance(await flights.join(PAIRS[0]).landed, Unavailable)

    runway.crash = False

    assert isinstance(await flights.join(PAIRS[0]).landed, SourceQuote)


async def test_closing_lands_every_flight(runway: Runway) -> None:
    """Neither a waiting nor a flying pair leaves its callers behind."""
    flights = runway.flights()
    flying = flights.join(PAIRS[0])
    await until(lambda: bool(runway.batches))
    waiting = flights.join(PAIRS[1])
    await flights.close()

    assert [Unavailable, Unavailable] == [type(await flight.landed) for flight in (flying, waiting)]
