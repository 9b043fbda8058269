"""Each source against the simulated market, whole and broken: an answer is right or an error, and it recovers."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from meshkit.clock import SystemClock
from meshkit.errors import MeshError
from services.aggregator.config import AggregatorConfig
from services.aggregator.engine.engine import Engine
from services.aggregator.metrics import open_registry
from services.aggregator.prices.errors import (
    AccessRefused,
    MalformedAnswer,
    PriceRefused,
    ProviderFault,
    SourceRateLimited,
    SourceTimeout,
    UnknownPair,
)
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Quote, QuoteStatus
from services.aggregator.sources.factory import open_sources
from services.aggregator.sources.settings import SourceConfig
from tests.aggregator.fakes import BTC, ETH, NAMES

pytestmark = pytest.mark.long(20)

# The venues' own deviations from the reference, and the movement between the two readings.
TOLERANCE = Decimal("0.01")
SPELLED = {"binance": Pair("BTC", "USDT"), "kraken": BTC, "coinbase": BTC}
FEEDS = {
    BTC: SPELLED,
    ETH: {"binance": Pair("ETH", "USDT"), "kraken": ETH, "coinbase": ETH},
    Pair("EUR", "USD"): {"kraken": Pair("EUR", "USD"), "coinbase": Pair("EUR", "USD")},
    Pair("DOGE", "USD"): {
        "binance": Pair("DOGE", "USDT"),
        "kraken": Pair("DOGE", "USD"),
        "coinbase": Pair("DOGE", "USD"),
    },
}


@dataclass
class Town:
    """An engine of the three sources before a market, and the market's controls."""

    engine: Engine
    session: aiohttp.ClientSession
    url: str

    async def reference(self, pair: Pair) -> Decimal:
        """Return the market's own price."""
        async with self.session.get(f"{self.url}/reference", params={"pairs": str(pair)}) as response:
            return Decimal((await response.json())["prices"][str(pair)])

    async def whole_quote(self, feed: Pair) -> Quote:
        """Return a feed's quote with all its sources; on a busy machine one may come too late at first."""
        async with asyncio.timeout(20):
            while (quote := await self.engine.answers.quote(feed)).status is not QuoteStatus.FRESH:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        return quote

    async def set_fault(self, source: str, **fault: Any) -> None:
        """Break a source, or mend it without arguments."""
        async with self.session.post(f"{self.url}/control/{source}", json=fault) as response:
            assert 200 == response.status

    async def requests(self, source: str) -> int:
        """Return how many requests reached the source."""
        async with self.session.get(f"{self.url}/control/{source}") as response:
            return int((await response.json())["requests"])


@pytest.fixture(name="town")
async def _town(session: aiohttp.ClientSession, market: str) -> AsyncIterator[Town]:
    sources = {name: SourceConfig(name, base_url=f"{market}/{name}", ttl_ms=60_000, timeout_ms=800) for name in NAMES}
    config = AggregatorConfig(sources, FEEDS)
    engine = Engine(
        config, open_sources(session, config.sources.values(), SystemClock()), SystemClock(), open_registry()
    )
    await engine.start()
    yield Town(engine, session, market)
    await engine.close()


@pytest.mark.parametrize("feed", FEEDS, ids=str)
async def test_the_median_is_near_the_reference(town: Town, feed: Pair) -> None:
    """Every feed has all its sources, and a price within a percent of the market's own."""
    quote = await town.whole_quote(feed)
    reference = await town.reference(feed)

    assert len(FEEDS[feed]) == len(quote.sources)
    assert abs(quote.price - reference) < reference * TOLERANCE


async def test_only_coinbase_tells_the_time_of_its_price(town: Town) -> None:
    """The exchange's time is kept where there is one, near our own, and not invented elsewhere."""
    quote = await town.whole_quote(BTC)
    times = {used.source: used.exchange_time_ms for used in quote.sources}

    assert (None, None) == (times["binance"], times["kraken"])
    assert abs((times["coinbase"] or 0) - quote.received_ms) < 60_000


@pytest.mark.parametrize("source", NAMES)
async def test_an_unlisted_pair_is_unknown(town: Town, source: str) -> None:
    """The simulator's own words for it are understood."""
    with pytest.raises(UnknownPair):
        await town.engine.answers.source_quote(source, Pair("NOPE", "USD"))


async def test_a_cold_start_is_cheap(town: Town) -> None:
    """All feeds at once: one listing, and one batch where there are batches, one call a pair at Coinbase."""
    await town.engine.answers.quotes(list(FEEDS))

    assert [2, 5, 2] == [await town.requests(source) for source in NAMES]


@pytest.mark.parametrize("source", NAMES)
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"limit": True}, SourceRateLimited),
        ({"latency_ms": 2_000}, SourceTimeout),
        ({"status": 500}, ProviderFault),
        ({"status": 503, "body": "<html>maintenance</html>"}, ProviderFault),
        ({"status": 403, "body": {"message": "blocked"}}, AccessRefused),
        ({"status": 200, "body": "<html>"}, MalformedAnswer),
        ({"status": 200, "body": ""}, MalformedAnswer),
        ({"status": 200, "body": {}}, MalformedAnswer),
        ({"status": 200, "body": []}, MalformedAnswer),
        ({"status": 200, "body": None}, MalformedAnswer),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
async def test_a_broken_source_gives_errors_and_never_prices(
    town: Town, source: str, fault: dict[str, Any], expected: type[MeshError]
) -> None:
    """Each way to break is told as what it is, cold and with the listing known, and the pair stays registered."""
    for pair in (SPELLED[source], FEEDS[ETH][source]):
        await town.set_fault(source, **fault)
        with pytest.raises(expected):
            await town.engine.answers.source_quote(source, pair)
        assert pair in [state.pair for state in town.engine.status.pairs(source)]
        if expected in (SourceRateLimited, SourceTimeout, AccessRefused):
            return  # it is left alone for seconds or a minute now, or costs a second each
        await town.set_fault(source)
        if pair == SPELLED[source]:
            await _recovered(town, source, pair)


async def _recovered(town: Town, source: str, pair: Pair) -> None:
    for _ in range(200):
        try:
            await town.engine.answers.source_quote(source, pair)
            return
        except MeshError:
            await asyncio.sleep(0.02)
    raise AssertionError(f"{source} did not recover")


@pytest.mark.parametrize("price", ["0", "-1", "NaN", "1E+400", "", None, "undefined"])
async def test_wrong_numbers_are_refused(town: Town, price: object) -> None:
    """A well-formed answer with a wrong number is refused, and the feed goes on without that source."""
    await town.engine.answers.source_quote("binance", FEEDS[ETH]["binance"])
    await town.set_fault("binance", body={"symbol": "BTCUSDT", "price": price})
    quote = await town.engine.answers.quote(BTC)

    assert ["coinbase", "kraken"] == [used.source for used in quote.sources]
    with pytest.raises((PriceRefused, MalformedAnswer)):
        await town.engine.answers.source_quote("binance", SPELLED["binance"])
