"""The value of all coins, asked of the simulated CoinGecko and of one that says what a test wants."""

from decimal import Decimal

import aiohttp
import pytest

from meshkit.clock import ManualClock, SystemClock
from services.aggregator.config import MarketDataConfig
from services.aggregator.engine.market_data import LONGEST_AGE_MS, MarketData, MarketDataTooOld, NoMarketData
from services.aggregator.metrics import open_registry
from services.aggregator.prices.errors import (
    MalformedAnswer,
    PriceRefused,
    ProviderFault,
    SourceRateLimited,
    UnknownPair,
)
from tests.aggregator.fakes import LiteralExchange
from tests.aggregator.global_figures import NOW_MS, PATH, said
from tests.waiting import until


def _market(session: aiohttp.ClientSession, exchange: LiteralExchange, clock: ManualClock) -> MarketData:
    return MarketData(session, MarketDataConfig(base_url=exchange.url, timeout_ms=2_000), clock, open_registry())


async def test_a_jump_is_not_served_however_often_it_issaid(
    session: aiohttp.ClientSession, exchange: LiteralExchange
) -> None:
    """A value far off is refused and counted until its rate allows it; one ten times as high is for good."""
    clock, metrics = ManualClock(NOW_MS), open_registry()
    market = MarketData(session, MarketDataConfig(base_url=exchange.url), clock, metrics)
    exchange.say(PATH, said(total_market_cap={"usd": 4e12}), said(total_market_cap={"usd": 4.1e12}))
    for _ in range(2):
        await market.refresh()
    for value, expected in ((41e12, "another unit"), (6e12, "far from the last price")):
        exchange.say(PATH, said(total_market_cap={"usd": value}))
        for _ in range(3):
            clock.advance(60)
            with pytest.raises(PriceRefused, match=expected):
                await market.refresh()

            assert Decimal("4.1E12") == market.quote().price
    clock.advance(5 * 60)
    await market.refresh()

    assert Decimal("6E12") == market.quote().price
    assert b'refused_prices_total{reason="unit",source="coingecko"} 3.0' in metrics.render()
    assert b'refused_prices_total{reason="rate",source="coingecko"} 3.0' in metrics.render()


async def test_the_first_value_is_held_against_the_last_answer_on_chain(
    session: aiohttp.ClientSession, exchange: LiteralExchange
) -> None:
    """One that is a thousand times as high is refused, one that is near it is not."""
    market = MarketData(session, MarketDataConfig(base_url=exchange.url), ManualClock(NOW_MS), open_registry())
    market.refer(Decimal("4E12"))
    exchange.say(PATH, said(total_market_cap={"usd": 4e15}), said(total_market_cap={"usd": 4.1e12}))
    with pytest.raises(PriceRefused, match="another unit"):
        await market.refresh()
    await market.refresh()

    assert Decimal("4.1E12") == market.quote().price


async def test_the_value_as_a_price_ends_with_the_figures(
    session: aiohttp.ClientSession, exchange: LiteralExchange
) -> None:
    """It expires when the figures are too old by CoinGecko's time, and from then on is an error."""
    clock = ManualClock(NOW_MS)
    market = _market(session, exchange, clock)
    exchange.say(PATH, said(updated_at=NOW_MS // 1000 - 600))
    await market.refresh()
    quote = market.quote()

    assert clock.monotonic() + LONGEST_AGE_MS / 1000 - 600 == quote.expires_at
    assert (NOW_MS, NOW_MS - 600_000) == (quote.received_ms, quote.sources[0].exchange_time_ms)
    with pytest.raises(UnknownPair):
        market.quote(["kraken"])
    clock.advance(LONGEST_AGE_MS / 1000 - 599)
    with pytest.raises(MarketDataTooOld):
        market.quote()


async def test_figures_that_are_too_old_are_an_error(session: aiohttp.ClientSession, exchange: LiteralExchange) -> None:
    """They are served up to the bound by CoinGecko's own time, however often the calls fail, and never after."""
    clock = ManualClock(NOW_MS)
    market = _market(session, exchange, clock)
    exchange.say(PATH, said(), (500, "{}"))
    await market.refresh()
    with pytest.raises(ProviderFault):
        await market.refresh()
    clock.advance(LONGEST_AGE_MS / 1000)

    assert market.figures().markets == 1476
    clock.advance(1)
    with pytest.raises(MarketDataTooOld, match="allowed are 1800000"):
        market.figures()
    assert (False, LONGEST_AGE_MS + 1000) == (market.is_available, market.age_ms)


async def test_older_figures_do_not_replace_newer_ones(
    session: aiohttp.ClientSession, exchange: LiteralExchange
) -> None:
    """An answer of a cache that lags behind changes nothing."""
    market = _market(session, exchange, ManualClock(NOW_MS))
    exchange.say(PATH, said(markets=2), said(markets=1, updated_at=NOW_MS // 1000 - 60))
    await market.refresh()
    await market.refresh()

    assert 2 == market.figures().markets


async def test_a_failed_call_is_repeated(session: aiohttp.ClientSession, exchange: LiteralExchange) -> None:
    """The task goes on after failures, and figures come as soon as CoinGecko does."""
    exchange.say(PATH, (500, "{}"), "no json", said(updated_at=SystemClock().time_ms() // 1000))
    config = MarketDataConfig(base_url=exchange.url, interval_ms=100)
    market = MarketData(session, config, SystemClock(), open_registry())
    market.start()
    await until(lambda: market.is_available, "figures")
    await market.close()

    assert 3 <= len(exchange.asked)


@pytest.mark.parametrize("answer", [said(total_market_cap={"usd": 0}), (429, "{}")])
async def test_what_cannot_be_read_leaves_the_figures_of_before(
    session: aiohttp.ClientSession, exchange: LiteralExchange, answer: str | tuple[int, str]
) -> None:
    """They are served on; without any there is an error that says so."""
    market = _market(session, exchange, ManualClock(NOW_MS))
    exchange.say(PATH, answer, said(), answer)
    for _ in range(2):
        with pytest.raises((MalformedAnswer, SourceRateLimited)):
            await market.refresh()
        if len(exchange.asked) == 1:
            with pytest.raises(NoMarketData, match="no call has succeeded"):
                market.figures()
            await market.refresh()

    assert 17397 == market.figures().active_cryptocurrencies
