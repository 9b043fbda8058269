"""How long a stream's prices wait to be handed on, on simulated time."""

import asyncio
from decimal import Decimal
from itertools import pairwise

import pytest

from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.sources.source import TickOutcome
from services.aggregator.streams.turn import Turn
from tests import simulated_time
from tests.aggregator.fakes import BTC, ETH

# A streamed price waits so long at most.
LONGEST_WAIT_S = 0.05


class Handed:
    """Note what is handed on, and when."""

    def __init__(self) -> None:
        self.prices: list[tuple[float, Pair, Decimal]] = []
        self.turns: list[float] = []
        self.turn = Turn("kraken", deliver=self.deliver, settle=self.settle, on_crash=lambda: None)

    def deliver(self, _source: str, pair: Pair, outcome: TickOutcome) -> None:
        assert isinstance(outcome, Tick)
        assert isinstance(outcome.price, Decimal)
        self.prices.append((asyncio.get_running_loop().time(), pair, outcome.price))

    def settle(self, _most: int) -> bool:
        self.turns.append(asyncio.get_running_loop().time())
        return False


@pytest.mark.parametrize("every_s", [0.001, 0.01, 0.049, 0.2, 3.0])
def test_a_price_waits_a_twentieth_of_a_second_at_most(every_s: float) -> None:
    """However many come, the last of each pair is handed on within 50 ms, and no more than twenty times a second."""
    handed = Handed()

    async def talk() -> None:
        loop = asyncio.get_running_loop()
        for _ in range(200):
            for pair in (BTC, ETH):
                # The price tells when it was said.
                handed.turn.gather(pair, Tick(Decimal(loop.time())))
            await asyncio.sleep(every_s)
        await asyncio.sleep(1)

    simulated_time.run(talk())

    assert max(at - float(said_at) for at, _, said_at in handed.prices) <= LONGEST_WAIT_S + 1e-9
    gaps = [later - earlier for earlier, later in pairwise(handed.turns)]
    assert min(gaps) >= LONGEST_WAIT_S - 1e-9
    assert max(gaps) <= max(every_s, LONGEST_WAIT_S) + LONGEST_WAIT_S + 1e-9
    assert {BTC, ETH} == {pair for _, pair, _ in handed.prices}
    assert len(handed.prices) == 2 * len(handed.turns)


def test_what_is_said_last_is_handed_on() -> None:
    """The last price before a silence does not wait for another one."""
    handed = Handed()

    async def talk() -> None:
        handed.turn.gather(BTC, Tick(Decimal(1)))
        await asyncio.sleep(0.01)
        handed.turn.gather(BTC, Tick(Decimal(2)))
        await asyncio.sleep(0.045)
        handed.turn.gather(BTC, Tick(Decimal(3)))
        await asyncio.sleep(60)

    simulated_time.run(talk())

    assert [Decimal(2), Decimal(3)] == [price for _, _, price in handed.prices]


def test_nothing_is_handed_on_after_the_end() -> None:
    """What was gathered before is dropped."""
    handed = Handed()

    async def talk() -> None:
        handed.turn.gather(BTC, Tick(Decimal(1)))
        handed.turn.close()
        await asyncio.sleep(60)

    simulated_time.run(talk())

    assert ([], []) == (handed.prices, handed.turns)
