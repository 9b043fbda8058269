"""Every source asks the limiter of its fetch before each of its calls."""

import aiohttp
import pytest

from meshkit.clock import SystemClock
from meshkit.errors import MeshError
from services.aggregator.prices.errors import SourceBusy
from services.aggregator.prices.pair import Pair
from tests.aggregator.sources.making import make
from tests.aggregator.sources.test_contract import ASKED


class Counting:
    """Count the calls that are asked for, and refuse those after `most`."""

    def __init__(self, most: int = 1_000) -> None:
        self.calls = 0
        self._most = most

    async def acquire(self) -> None:
        """Count a call."""
        if self.calls == self._most:
            raise SourceBusy("test", 1_000, "there are no more calls")
        self.calls += 1


async def made(session: aiohttp.ClientSession, market: str, name: str) -> int:
    """Return how many requests the simulator of a provider has had."""
    async with session.get(f"{market}/control") as response:
        return int((await response.json())[name]["requests"])


@pytest.mark.parametrize("name", sorted(ASKED))
async def test_each_request_is_a_call_that_the_limiter_allowed(
    session: aiohttp.ClientSession, market: str, name: str
) -> None:
    """Listings, prices, pages and halves: there are as many requests as calls, also where a pair is unknown."""
    source = make(name, session, f"{market}/{name}", clock=SystemClock())
    pairs, limiter = list(ASKED[name]), Counting()
    for asked in (pairs, pairs[:1], [*pairs, Pair("NOSUCH", "USD")], [Pair("USD", "NOSUCH")]):
        try:
            await source.fetch(asked[: source.DECLARATION.max_batch], limiter)
        except MeshError:
            continue

    assert limiter.calls > 0
    assert limiter.calls == await made(session, market, name)


@pytest.mark.parametrize("name", sorted(ASKED))
async def test_a_refused_call_is_not_made(session: aiohttp.ClientSession, market: str, name: str) -> None:
    """A limiter that refuses the first call ends the fetch without a request."""
    source = make(name, session, f"{market}/{name}", clock=SystemClock())
    with pytest.raises(SourceBusy):
        await source.fetch(list(ASKED[name])[: source.DECLARATION.max_batch], Counting(most=0))

    assert 0 == await made(session, market, name)
