"""Each stream against the market simulator, which speaks as the providers do."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, cast

import aiohttp
import pytest

from meshkit.clock import SystemClock
from services.aggregator.metrics import open_registry
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.streams.catalog import DIALECTS
from services.aggregator.streams.protocol import Dialect
from services.aggregator.streams.settings import StreamConfig
from services.aggregator.streams.source_stream import SourceStream
from tests.waiting import until

TETHER, DOLLAR = (Pair("BTC", "USDT"), Pair("ETH", "USDT")), (Pair("BTC", "USD"), Pair("ETH", "USD"))
PAIRS = {
    "binance": TETHER,
    "bybit": TETHER,
    "coinbase": DOLLAR,
    "cryptocompare": DOLLAR,
    "finnhub": TETHER,
    "kraken": DOLLAR,
    "kucoin": TETHER,
    "okx": TETHER,
}


def quick(name: str) -> Dialect:
    """Return a dialect that may reconnect at once."""
    dialect = DIALECTS[name]
    rules = replace(dialect.RULES, connect_gap_s=0.05)
    made: Dialect = type("Quick", (type(dialect),), {"RULES": rules})()
    return made


@dataclass
class Follower:
    """A stream that follows a simulated source, and the prices it brought."""

    name: str
    market: str
    session: aiohttp.ClientSession
    stream: SourceStream
    prices: dict[Pair, Tick] = field(default_factory=dict)

    async def control(self, path: str = "", **body: object) -> Any:
        """Tell the simulated source what to do, or ask for its state."""
        url = f"{self.market}/control/{self.name}{path}"
        async with self.session.request("POST" if body or path else "GET", url, json=body) as response:
            assert 200 == response.status, await response.text()
            return await response.json()

    async def subscriptions(self) -> int:
        """Return how many subscriptions the source counts."""
        state = await self.control()
        return int(state["stream"]["subscriptions"])

    def has(self, *pairs: Pair) -> bool:
        """Tell whether each of the pairs has a price since the last clearing."""
        return set(pairs) <= self.prices.keys()


@pytest.fixture(name="follower", params=PAIRS)
async def _follower(
    request: pytest.FixtureRequest, market: str, session: aiohttp.ClientSession
) -> AsyncIterator[Follower]:
    """Give a stream of each source in turn."""
    name: str = request.param
    config = StreamConfig(
        ws_url=f"{market.replace('http', 'ws', 1)}/{name}/ws", base_url=f"{market}/{name}", api_key="a-key-of-ours"
    )
    follower = Follower(
        name, market, session, SourceStream(quick(name), config, session, SystemClock(), open_registry())
    )
    follower.stream.on_price(lambda _source, pair, tick: follower.prices.update({pair: cast(Tick, tick)}))
    yield follower
    await follower.stream.close()


async def test_prices_come(follower: Follower) -> None:
    """Every wanted pair gets prices, exact numbers within bid and ask and a time that is now."""
    pairs = PAIRS[follower.name]
    follower.stream.want(pairs)
    await until(lambda: follower.has(*pairs))
    for tick in follower.prices.values():
        price = Decimal(str(tick.price))
        assert not isinstance(tick.price, float)
        assert price > 0
        assert tick.exchange_time_ms is not None
        assert abs(tick.exchange_time_ms - SystemClock().time_ms()) < 30_000
        if tick.bid is not None:
            assert Decimal(str(tick.bid)) <= price * Decimal("1.05")


async def test_an_unknown_pair_harms_no_other(follower: Follower) -> None:
    """A pair that the source does not have is left out, whatever the source does with its request."""
    known = PAIRS[follower.name]
    follower.stream.want([known[0], Pair("NOSUCHCOIN", known[0].quote), known[1]])
    await until(lambda: follower.has(*known))
    assert set(known) == set(follower.prices)


async def test_a_disconnect_is_mended(follower: Follower) -> None:
    """After a disconnect the same subscriptions are there again, no more and no fewer, and prices come."""
    pairs = PAIRS[follower.name]
    follower.stream.want(pairs)
    await until(lambda: follower.has(*pairs))
    before = await follower.subscriptions()
    await follower.control("/disconnect", code=1001)
    follower.prices.clear()
    await until(lambda: follower.has(*pairs))
    assert before == await follower.subscriptions()


async def test_pairs_come_and_go(follower: Follower) -> None:
    """A pair that is no longer wanted is unsubscribed; one wanted later is subscribed on the same connection."""
    first, second = PAIRS[follower.name]
    follower.stream.want([first])
    await until(lambda: follower.has(first))
    alone = await follower.subscriptions()
    follower.stream.want([first, second])
    await until(lambda: follower.has(second))
    follower.stream.want([second])

    async def is_alone() -> bool:
        return alone == await follower.subscriptions()

    await until(is_alone)
    follower.prices.clear()
    await until(lambda: follower.has(second))
    assert {second} == set(follower.prices)
    assert 1 == (await follower.control())["stream"]["accepted"]


async def test_a_notice_is_heeded(follower: Follower) -> None:
    """A source that says good-bye before it closes is followed on a new connection."""
    pairs = PAIRS[follower.name]
    follower.stream.want(pairs)
    await until(lambda: follower.has(*pairs))
    await follower.control("/disconnect", code=1001, notice=True)
    follower.prices.clear()
    await until(lambda: follower.has(*pairs))
