"""Streams and REST feed one cache: the fresher price wins, and REST is asked for what no stream brings."""

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from meshkit.clock import ManualClock, SystemClock
from services.aggregator.cache.price_cache import PriceCache
from services.aggregator.engine.engine import Engine
from services.aggregator.metrics import open_registry
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.sources.factory import open_sources
from services.aggregator.sources.settings import SourceConfig
from services.aggregator.streams.catalog import open_streams
from services.aggregator.streams.settings import StreamConfig
from services.aggregator.streams.streams import Streams
from services.aggregator.streams.turn import TURN_S
from tests.aggregator.fakes import BTC, ScriptedSource, settings
from tests.waiting import until

START_MS = 1_700_000_000_000
TTL_S = 10


class Desk:
    """A cache of one source on a clock that a test moves."""

    def __init__(self) -> None:
        self.clock = ManualClock(START_MS)
        self.source = ScriptedSource("kraken", prices={BTC: "100"})
        self.cache = PriceCache(settings("kraken"), [self.source], self.clock, open_registry())

    async def begin(self) -> None:
        """Register the pair and fetch it once."""
        self.cache.registry.pin("kraken", BTC)
        self.cache.read_through.look_up("kraken", BTC)
        await until(self.moved)
        assert 1 == len(self.source.calls)

    async def moved(self) -> bool:
        """Move the time on a bit, for what waits on the clock, and tell whether there is a price."""
        self.clock.advance(0.01)
        return self.price is not None

    @property
    def price(self) -> Decimal | None:
        """Return the price that is served."""
        quote = self.cache.quotes.get("kraken", BTC)
        return None if quote is None else quote.price

    def stream(self, price: object, age_ms: int = 0) -> None:
        """Have the stream bring a price of so long ago."""
        self.say(Tick(price, self.clock.time_ms() - age_ms))

    def say(self, tick: Tick) -> None:
        """Have the stream bring this."""
        self.cache.ingest.streamed(self.cache.fetchers["kraken"], BTC, tick)

    async def serves(self, price: str) -> bool:
        """Move the time on a bit, do what is due, and tell whether this price is served."""
        self.clock.advance(0.05)
        self.cache.refresher.step()
        return self.price == Decimal(price)


@pytest.fixture(name="desk")
async def _desk() -> AsyncIterator[Desk]:
    """Give a cache whose one pair has been fetched."""
    desk = Desk()
    await desk.begin()
    yield desk
    await desk.cache.close()


async def test_a_stream_suppresses_rest(desk: Desk) -> None:
    """While a stream brings prices REST is not asked, for as long as it lasts (an hour here)."""
    for number in range(3_600):
        desk.clock.advance(1)
        desk.cache.refresher.step()
        desk.stream(Decimal(100) + Decimal(number) / 1000)
        assert desk.price == Decimal(100) + Decimal(number) / 1000
    assert 1 == len(desk.source.calls)


async def test_rest_takes_over(desk: Desk) -> None:
    """When a stream falls silent REST is asked before the last price expires."""
    desk.stream("101")
    streamed_at = desk.clock.monotonic()
    desk.source.prices[BTC] = "102"
    await until(lambda: desk.serves("102"))
    assert desk.clock.monotonic() - streamed_at < TTL_S


async def test_bad_prices_of_a_stream_do_not_hold_rest_off(desk: Desk) -> None:
    """Prices that are refused are as good as silence: they are never served, and REST is asked in time."""
    desk.stream("101")
    desk.source.prices[BTC] = "102"
    for _ in range(TTL_S * 10 - 1):
        desk.clock.advance(0.1)
        desk.stream("0")
        desk.stream("NaN")
        desk.cache.refresher.step()
        assert desk.price in (Decimal(101), Decimal(102))
    await until(lambda: desk.serves("102"))


async def test_the_fresher_price_wins(desk: Desk) -> None:
    """By the exchange's clock: an older price takes the place of no newer one, whichever way it came."""
    desk.clock.advance(1)
    desk.stream("101")
    desk.stream("99", age_ms=500)
    assert Decimal(101) == desk.price
    desk.stream("101.5")
    assert Decimal("101.5") == desk.price


async def test_a_late_answer_without_a_time_loses(desk: Desk) -> None:
    """A REST answer that has no exchange time does not displace a price that a stream brought just before."""
    desk.stream("101")
    desk.say(Tick("100"))
    assert Decimal(101) == desk.price
    desk.clock.advance(5)
    desk.say(Tick("100"))
    assert Decimal(100) == desk.price


async def test_prices_of_a_turn_are_gathered() -> None:
    """Of the prices that come within a turn the latest by the exchange's clock is delivered, once."""
    delivered: list[object] = []

    class Silent:
        source = "kraken"

        def count_crash(self) -> None:
            return

        def on_price(self, deliver: Any) -> None:
            self.deliver = deliver

        async def close(self) -> None:
            return

    silent = Silent()
    streams = Streams(
        [silent],  # type: ignore[list-item]
        pairs=lambda _source: [],
        deliver=lambda _source, _pair, tick: delivered.append(tick.price),  # type: ignore[union-attr]
    )
    for price, moment in (("1", 10), ("2", 30), ("3", 20)):
        silent.deliver("kraken", BTC, Tick(price, moment))
    await until(lambda: bool(delivered), timeout_s=TURN_S + 5)
    assert ["2"] == delivered
    await streams.close()


@pytest.fixture(name="engine")
async def _engine(market: str, session: aiohttp.ClientSession) -> AsyncIterator[Engine]:
    """Give an engine with REST and streams of four simulated sources, configured with one feed."""
    names = {
        "binance": Pair("BTC", "USDT"),
        "bybit": Pair("BTC", "USDT"),
        "coinbase": BTC,
        "kucoin": Pair("BTC", "USDT"),
    }
    sources = {name: SourceConfig(name, base_url=f"{market}/{name}", ttl_ms=3_000) for name in names}
    streams = {
        name: StreamConfig(ws_url=f"{market.replace('http', 'ws', 1)}/{name}/ws", base_url=f"{market}/{name}")
        for name in names
    }
    config = replace(settings(*names), sources=sources, streams=streams, feeds={BTC: names}, pinned=(BTC,))
    clock, metrics = SystemClock(), open_registry()
    engine = Engine(
        config,
        open_sources(session, config.sources.values(), clock),
        clock,
        metrics,
        open_streams(session, config.streams, clock, metrics),
    )
    await engine.start()
    yield engine
    await engine.close()


async def test_no_calls_with_streams(engine: Engine, market: str, session: aiohttp.ClientSession) -> None:
    """Once the streams bring prices no source is called any more; without them each is called again."""

    async def requests() -> dict[str, int]:
        async with session.get(f"{market}/control") as response:
            state = await response.json()
        return {name: state[name]["requests"] for name in ("binance", "bybit", "coinbase", "kucoin")}

    async def tell(method: str, **fault: object) -> None:
        for name in ("binance", "bybit", "coinbase", "kucoin"):
            async with session.request(method, f"{market}/control/{name}", json=fault or None) as response:
                assert 200 == response.status

    await until(lambda: all(state.stream_connected for state in engine.status.sources()))
    await until(lambda: all(state.last_stream_ms is not None for state in engine.status.sources()))
    await engine.answers.quote(BTC)
    before = await requests()
    end_at = SystemClock().monotonic() + 4
    await until(lambda: SystemClock().monotonic() > end_at)
    assert before == await requests()
    await tell("POST", silence=True)

    async def all_called() -> bool:
        now = await requests()
        return all(now[name] > before[name] for name in before)

    await until(all_called)
    assert 4 == len((await engine.answers.quote(BTC)).sources)
    await tell("DELETE")
