"""CoinGecko's figures of all coins: what is read, and what cannot be."""

from decimal import Decimal

import aiohttp
import pytest

from meshkit.clock import ManualClock
from services.aggregator.prices.errors import MalformedAnswer, ProviderFault, SourceRateLimited
from services.aggregator.sources.catalog import DECLARATIONS
from services.aggregator.sources.client import SourceClient
from services.aggregator.sources.coingecko_global import CoinGeckoGlobal
from tests.aggregator.fakes import LiteralExchange
from tests.aggregator.global_figures import NOW_MS, PATH, said


def source(session: aiohttp.ClientSession, exchange: LiteralExchange) -> CoinGeckoGlobal:
    """Return the source at that exchange."""
    clock = ManualClock(NOW_MS)
    return CoinGeckoGlobal(SourceClient(session, DECLARATIONS["coingecko"], clock, base_url=exchange.url), clock)


async def test_figures_are_read_with_all_their_digits(
    session: aiohttp.ClientSession, exchange: LiteralExchange
) -> None:
    """What is not passed on is ignored."""
    exchange.say(
        PATH, said(total_market_cap={"usd": 1}, more=5).replace('{"usd":1}', '{"usd":3712345678901.567890123}')
    )
    figures = await source(session, exchange).fetch()

    assert {"usd": Decimal("3712345678901.567890123")} == figures.total_market_cap
    assert (17397, 1476, NOW_MS // 1000) == (figures.active_cryptocurrencies, figures.markets, figures.updated_at)


@pytest.mark.parametrize(
    "changes",
    [
        {"total_market_cap": {"usd": -1}},
        {"total_market_cap": {"usd": 0}},
        {"total_market_cap": {"eur": 1}},
        {"total_market_cap": {"usd": "NaN"}},
        {"total_market_cap": {"usd": 1e60}},
        {"total_market_cap": None},
        {"updated_at": NOW_MS // 1000 + 3600},
        {"updated_at": "yesterday"},
    ],
)
async def test_figures_that_cannot_be_are_malformed(
    session: aiohttp.ClientSession, exchange: LiteralExchange, changes: dict[str, object]
) -> None:
    """No value in dollars, one that is none, a time to come: each is an error of the source, not a value."""
    exchange.say(PATH, said(**changes))
    with pytest.raises(MalformedAnswer):
        await source(session, exchange).fetch()


async def test_clocks_may_differ_a_bit(session: aiohttp.ClientSession, exchange: LiteralExchange) -> None:
    """A time of five minutes ahead is one, a later one is none."""
    exchange.say(PATH, said(updated_at=NOW_MS // 1000 + 300), said(updated_at=NOW_MS // 1000 + 301))
    asked = source(session, exchange)

    assert NOW_MS // 1000 + 300 == (await asked.fetch()).updated_at
    with pytest.raises(MalformedAnswer, match="of the future"):
        await asked.fetch()


async def test_a_limit_and_a_fault_are_told_apart(session: aiohttp.ClientSession, exchange: LiteralExchange) -> None:
    """A limit answer carries its wait."""
    exchange.say(PATH, (429, "{}", {"Retry-After": "7"}), (404, "{}"))
    asked = source(session, exchange)
    with pytest.raises(SourceRateLimited) as caught:
        await asked.fetch()

    assert 7_000 == caught.value.retry_after_ms
    with pytest.raises(ProviderFault, match="HTTP 404"):
        await asked.fetch()
