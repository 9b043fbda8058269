"""Wrong prices of the simulated market, and what is answered over HTTP: the right price or an error."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import aiohttp
import pytest

from devkit.market.process import Pair as Market
from devkit.market.process import PriceProcess
from meshkit.clock import SystemClock
from services.aggregator.config import read
from services.aggregator.engine.engine import Engine
from services.aggregator.engine.status_metrics import StatusMetrics
from services.aggregator.metrics import open_registry
from services.aggregator.sources.factory import open_sources
from services.aggregator.web.routes import HttpApi
from services.aggregator.web.server import listen
from tests.aggregator.test_config import configuration
from tests.waiting import until

pytestmark = pytest.mark.long(80)

PROCESS: Final = PriceProcess(7)
TTL_MS: Final = 1_000
# A time to live and the lag of copies old, and a few basis points beside the market.
TOLERANCE: Final = Decimal("0.01")
# Several times as long as a source had to repeat itself before it was believed.
PATIENCE_S: Final = 4.0


@dataclass
class Believer:
    """An aggregator on the simulated market, with a client."""

    market: str
    url: str
    session: aiohttp.ClientSession

    async def fault(self, source: str, **fault: object) -> None:
        """Have a source be wrong from now on, or right without a fault."""
        async with self.session.post(f"{self.market}/control/{source}", json=fault) as response:
            assert 200 == response.status, await response.text()

    async def entry(self, pair: str) -> dict[str, Any]:
        """Return the entry of a batch: a feed's quote or its error."""
        async with self.session.get(f"{self.url}/quotes/batch?pairs={pair}") as response:
            entry: dict[str, Any] = (await response.json())["quotes"][0]
            return entry

    async def source(self, source: str, pair: str) -> Decimal | None:
        """Return a source's own price, None if there is none."""
        async with self.session.get(f"{self.url}/quote/{source}/{pair}") as response:
            return Decimal((await response.json())["price"]) if response.status == 200 else None

    async def metrics(self) -> str:
        """Return the page of metrics."""
        async with self.session.get(f"{self.url}/metrics") as response:
            return await response.text()

    async def priced(self, pair: str, sources: int) -> None:
        """Return once a feed has a right price of so many sources."""

        async def is_priced() -> bool:
            entry = await self.entry(pair)
            return "price" in entry and len(entry["sources"]) == sources and is_right(pair, entry["price"])

        await until(is_priced, f"{pair} of {sources} sources")

    async def errors(self, pair: str, *codes: str) -> None:
        """Return once a feed has one of these errors."""

        async def is_error() -> bool:
            return (await self.entry(pair)).get("error", {}).get("code") in codes

        await until(is_error, f"{pair} with {codes}")

    async def watch(self, pair: str, seconds: float = PATIENCE_S) -> list[dict[str, Any]]:
        """Return all that is answered for a while; fail on a wrong price."""
        seen = []
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while loop.time() < end:
            entry = await self.entry(pair)
            assert "price" not in entry or is_right(pair, entry["price"]), entry
            seen.append(entry)
            await asyncio.sleep(0.02)
        return seen


def truth(pair: str) -> Decimal:
    """Return what a pair is worth now."""
    return PROCESS.price(Market.parse(pair), SystemClock().time_ms())


def is_right(pair: str, price: str, factor: str = "1") -> bool:
    """Tell whether a price is that of the market."""
    return abs(Decimal(price) / truth(pair) / Decimal(factor) - 1) <= TOLERANCE


Make = Callable[..., Awaitable[Believer]]


@pytest.fixture(name="believer")
async def _believer(market: str, session: aiohttp.ClientSession) -> AsyncIterator[Make]:
    """Give what makes an aggregator of these sources, with these feeds configured and these rules."""
    async with _closing() as stack:

        async def make(*names: str, feed: str, rules: Mapping[str, object] | None = None) -> Believer:
            sources = {
                name: {"baseUrl": f"{market}/{name}", "ttl": TTL_MS, "refetch": True, "apiKey": "k"} for name in names
            }
            config = read(configuration({"sources": sources}, (feed,), dict(rules or {})))
            clock, metrics = SystemClock(), open_registry()
            engine = Engine(config, open_sources(session, config.sources.values(), clock), clock, metrics)
            stack.append(engine.close)
            StatusMetrics(engine.status, None, clock, metrics)
            api = HttpApi(engine, clock, metrics)
            listening = await listen(api.build(), 0, api.fast_answers())
            stack.append(listening.close)
            await engine.start()
            return Believer(market, f"http://127.0.0.1:{listening.port}", session)

        yield make


@asynccontextmanager
async def _closing() -> AsyncIterator[list[Callable[[], Awaitable[None]]]]:
    closers: list[Callable[[], Awaitable[None]]] = []
    try:
        yield closers
    finally:
        for close in reversed(closers):
            await close()


FOUR: Final = ("kraken", "coinbase", "coingecko", "cryptocompare")


async def test_two_exchanges_in_another_unit_do_not_beat_two_copies(believer: Make) -> None:
    """Kraken and Coinbase shift by eight places, with the default weights: the two others' price goes on."""
    b = await believer(*FOUR, feed="BTC / USD")
    await b.priced("BTC/USD", 4)
    for source in ("kraken", "coinbase"):
        await b.fault(source, factor="0.00000001")
    await b.priced("BTC/USD", 2)
    await b.watch("BTC/USD")
    await b.priced("BTC/USD", 2)
    entry, page = await b.entry("BTC/USD"), await b.metrics()

    assert ["coingecko", "cryptocompare"] == [used["source"] for used in entry["sources"]]
    assert ["minority"] == entry["notes"]
    assert await b.source("kraken", "BTC/USD") is None
    assert 'refused_prices_total{reason="unit",source="kraken"}' in page
    for source in ("kraken", "coinbase"):
        await b.fault(source)
    await b.priced("BTC/USD", 4)


@pytest.mark.parametrize("factor", ["0.00000001", "0.9", "1.3"])
@pytest.mark.parametrize(("names", "right"), [(FOUR, 0), ((*FOUR, "okx"), 3)])
async def test_two_exchanges_that_are_wrong_from_the_start_are_never_the_price(
    believer: Make, market: str, names: tuple[str, ...], right: int, factor: str
) -> None:
    """Two of four are no majority, and neither are the others; of five, three have the price."""
    await _break(market, ("kraken", "coinbase"), factor)
    b = await believer(*names, feed="BTC / USD")
    if right:
        await b.priced("BTC/USD", right)
    await b.watch("BTC/USD")


async def test_all_sources_in_another_unit_from_the_start_are_held_against_a_reference(
    believer: Make, market: str
) -> None:
    """Two of two agree on a hundred-millionth of what the feed is known to have been."""
    await _break(market, ("kraken", "coinbase"), "0.00000001")
    reference = {"BTC / USD": f"{truth('BTC/USD'):.2f}"}
    b = await believer("kraken", "coinbase", feed="BTC / USD", rules={"referencePrices": reference})
    await b.errors("BTC/USD", "PRICE_UNCONFIRMED", "TOO_FEW_SOURCES")
    assert all("price" not in entry for entry in await b.watch("BTC/USD"))
    for source in ("kraken", "coinbase"):
        await b.fault(source)
    await b.priced("BTC/USD", 2)


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("okx", {"halted": True}),
        ("binance", {"halted": True}),
        ("kraken", {"halted": True}),
        ("kraken", {"age_s": 600}),
        ("binance", {"age_s": 600}),
    ],
)
async def test_a_price_that_stands_still_is_not_mixed_in(
    believer: Make, market: str, source: str, fault: Mapping[str, object]
) -> None:
    """A market that nobody trades on, or an answer kept by a cache, is half a percent off beside two right ones."""
    await _break(market, (source,), "0.995", **fault)
    b = await believer(source, "coinbase", "coingecko", feed="BTC / USD")
    await b.priced("BTC/USD", 2)
    # On a machine that is held up there may be no price for a moment.
    priced = [entry for entry in await b.watch("BTC/USD", 1.5) if "price" in entry]
    assert all(source not in {used["source"] for used in entry["sources"]} for entry in priced)


async def _break(market: str, sources: Iterable[str], factor: str, **fault: object) -> None:
    async with aiohttp.ClientSession() as session:
        for source in sources:
            async with session.post(f"{market}/control/{source}", json={"factor": factor, **fault}) as response:
                assert 200 == response.status, await response.text()


async def test_there_is_no_mean_over_a_gap(believer: Make) -> None:
    """Of two sources of a dollar coin one is 8.8 percent off, or one and a half: there is no price."""
    b = await believer("coingecko", "cryptocompare", feed="GHO / USD")
    await b.priced("GHO/USD", 2)
    for factor in ("0.912", "0.985"):
        await b.fault("cryptocompare", factor=factor)
        await b.errors("GHO/USD", "SOURCES_DISAGREE", "TOO_FEW_SOURCES")
        assert all("price" not in entry for entry in await b.watch("GHO/USD", 2.0))
        await b.fault("cryptocompare")
        await b.priced("GHO/USD", 2)
    assert 'feed_refusals_total{reason="disagree"}' in await b.metrics()


async def test_a_source_alone_is_not_believed_when_it_falls(believer: Make) -> None:
    """The only source of a dollar coin says 0.65, again and again."""
    b = await believer("coinbase", feed="USDT / USD")
    await b.priced("USDT/USD", 1)
    assert ["single_source"] == (await b.entry("USDT/USD"))["notes"]
    await b.fault("coinbase", factor="0.65")
    await b.watch("USDT/USD")
    await b.errors("USDT/USD", "PRICE_REFUSED")
    assert await b.source("coinbase", "USDT/USD") is None
    assert 'refused_prices_total{reason="rate",source="coinbase"}' in await b.metrics()
    await b.fault("coinbase")
    await b.priced("USDT/USD", 1)


@pytest.mark.parametrize(
    ("pair", "market_pair", "fault"),
    [
        ("VOD.L/GBP", "VOD/GBP", {"currency": "GBP"}),
        ("MRNA/USD", "MRNA/USD", {"factor": "100"}),
        ("MRNA/USD", "MRNA/USD", {"factor": "0.001"}),
        ("EUR/USD", "EUR/USD", {"inverted": True}),
    ],
)
async def test_a_source_does_not_confirm_its_own_unit_error(
    believer: Make, pair: str, market_pair: str, fault: Mapping[str, object]
) -> None:
    """Pence in the name of pounds, two places too many, three too few, an inverted pair: refused while it lasts."""
    b = await believer("yahoofinance", feed="MRNA / USD")

    async def price() -> Decimal | None:
        found = await b.source("yahoofinance", pair)
        assert found is None or is_right(market_pair, str(found))
        return found

    async def is_there() -> bool:
        return await price() is not None

    await until(is_there, pair)
    await b.fault("yahoofinance", **fault)
    loop = asyncio.get_running_loop()
    end = loop.time() + PATIENCE_S
    while loop.time() < end:
        await price()
        await asyncio.sleep(0.05)
    assert await price() is None
    assert 'refused_prices_total{reason="unit",source="yahoofinance"}' in await b.metrics()
    await b.fault("yahoofinance")
    await until(is_there, pair)


async def test_a_dollar_coin_that_lost_its_peg_is_converted(believer: Make) -> None:
    """A dollar coin is worth 0.93: what Binance asks for in it is the price in dollars all the same."""
    b = await believer("binance", "kraken", "coinbase", feed="BTC / USD")
    await b.priced("BTC/USD", 3)
    await b.fault("binance", factor="1.0753", pairs=["BTC/USDT"])
    for source in ("kraken", "coinbase"):
        await b.fault(source, factor="0.93", pairs=["USDT/USD"])
    await b.priced("BTC/USD", 3)
    await b.watch("BTC/USD")
    await b.priced("BTC/USD", 3)


async def test_a_dollar_coin_of_unknown_worth_is_checked(believer: Make) -> None:
    """Nobody prices the coin: Binance counts while it is near the price in dollars, and does not beyond one percent."""
    b = await believer("binance", "kraken", feed="BTC / USD")
    await b.fault("kraken", factor="0.0000000000000001", pairs=["USDT/USD"])
    await b.fault("binance", factor="1.0753", pairs=["BTC/USDT"])
    await b.errors("BTC/USD", "TOO_FEW_SOURCES", "SOURCES_DISAGREE", "PRICE_UNCONFIRMED")
    await b.watch("BTC/USD", 3.0)


async def test_an_old_price_beside_another_is_no_mean(believer: Make) -> None:
    """OKX is half an hour old by its own clock and 8 percent off: no price of two, the others' price of three."""
    b = await believer("okx", "coinbase", feed="BTC / USD")
    await b.priced("BTC/USD", 2)
    await b.fault("okx", shift_ms=-1_800_000, factor="0.926")
    await b.errors("BTC/USD", "SOURCES_DISAGREE", "TOO_FEW_SOURCES")
    assert all("price" not in entry for entry in await b.watch("BTC/USD", 2.0))
    await b.fault("okx")
    await b.priced("BTC/USD", 2)


async def test_a_crash_goes_through(believer: Make) -> None:
    """All sources fall by two fifths one after the other: each answer on the way is of the old or of the new price."""
    b = await believer(*FOUR, feed="BTC / USD")
    await b.priced("BTC/USD", 4)
    for source in FOUR:
        await b.fault(source, factor="0.6")
        entry = await b.entry("BTC/USD")
        assert "error" in entry or any(is_right("BTC/USD", entry["price"], factor) for factor in ("1", "0.6"))

    async def is_down() -> bool:
        entry = await b.entry("BTC/USD")
        return "price" in entry and len(entry["sources"]) == 4 and is_right("BTC/USD", entry["price"], "0.6")

    await until(is_down, "the new price")


async def test_an_outlier_is_shown_and_not_followed(believer: Make) -> None:
    """One of five is off by a twentieth: the price is the others', and the answer shows the one with its verdict."""
    b = await believer(*FOUR, "okx", feed="BTC / USD")
    await b.priced("BTC/USD", 5)
    await b.fault("okx", factor="1.045")
    await b.priced("BTC/USD", 4)
    entry = await b.entry("BTC/USD")

    assert [("okx", "outlier")] == [(each["source"], each["verdict"]) for each in entry["leftOut"]]
    assert 'source_verdicts_total{source="okx",verdict="outlier"} 1.0' in await b.metrics()
