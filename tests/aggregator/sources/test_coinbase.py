import json

import aiohttp
import pytest

from meshkit.clock import ManualClock
from meshkit.errors import MeshError
from services.aggregator.prices.errors import (
    AccessRefused,
    MalformedAnswer,
    MarketHalted,
    ProviderFault,
    SourceRateLimited,
    UnknownPair,
)
from services.aggregator.prices.quote import Tick
from services.aggregator.sources.client import SourceClient
from services.aggregator.sources.coinbase import CoinbaseSource
from tests.aggregator.fakes import BTC, LiteralExchange
from tests.aggregator.sources.making import told

PATH = "/products/BTC-USD/ticker"
TICKER = (
    '{"ask":"6267.71","bid":"6265.15","volume":"53602.03","trade_id":86326522,"price":"6268.48","size":"0.00698254",'
    '"time":"2020-03-20T00:22:57.833Z"}'
)


@pytest.fixture(name="source")
async def _source(session: aiohttp.ClientSession, exchange: LiteralExchange) -> CoinbaseSource:
    """Give a Coinbase."""
    clock = ManualClock()
    return CoinbaseSource(SourceClient(session, CoinbaseSource.DECLARATION, clock, base_url=exchange.url), clock)


async def test_a_ticker_has_the_time_of_its_trade(source: CoinbaseSource, exchange: LiteralExchange) -> None:
    """Price, book and trade time are read."""
    exchange.say(PATH, TICKER)

    assert {BTC: Tick("6268.48", 1_584_663_777_833, "6265.15", "6267.71")} == await source.fetch([BTC])


async def test_nanoseconds_are_read(source: CoinbaseSource, exchange: LiteralExchange) -> None:
    """A time with more digits than milliseconds is cut to them."""
    exchange.say(PATH, TICKER.replace("57.833Z", "57.833999Z"))
    tick = (await source.fetch([BTC]))[BTC]

    assert isinstance(tick, Tick)
    assert 1_584_663_777_833 == tick.exchange_time_ms


async def test_the_exchanges_own_not_found_is_an_unknown_pair(
    source: CoinbaseSource, exchange: LiteralExchange
) -> None:
    """Only that body makes a 404 an unknown pair."""
    exchange.say(PATH, (404, '{"message":"NotFound"}'))

    assert isinstance((await source.fetch([BTC]))[BTC], UnknownPair)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((404, '{"message":"Route not found"}'), ProviderFault),
        ((404, "<html>not found</html>"), MalformedAnswer),
        ((400, '{"message":"Bad request"}'), ProviderFault),
        ((429, '{"message":"Public rate limit exceeded"}'), SourceRateLimited),
        ((200, "[]"), MalformedAnswer),
        ((200, '{"message":"NotFound"}'), SourceRateLimited),
        ((200, TICKER.replace("2020-03-20T", "yesterday ")), MalformedAnswer),
        ((200, TICKER.replace('"2020-03-20T00:22:57.833Z"', "5")), MalformedAnswer),
    ],
)
async def test_other_answers_are_told_apart(
    source: CoinbaseSource, exchange: LiteralExchange, answer: tuple[int, str], expected: type[MeshError]
) -> None:
    """A foreign 404, a limit and an answer without its fields are no unknown pair and no price."""
    exchange.say(PATH, answer)

    assert expected is type(await told(source, BTC))


@pytest.mark.parametrize("status", [400, 403, 404])
async def test_a_delisted_product_is_halted(source: CoinbaseSource, exchange: LiteralExchange, status: int) -> None:
    """What is said of one product is its outcome, and says nothing about the source."""
    exchange.say(PATH, (status, '{"message":"Not allowed for delisted products"}'))
    expected = AccessRefused if status == 403 else MarketHalted

    assert expected is type(await told(source, BTC))


PRODUCT = {"id": "BTC-USD", "base_currency": "BTC", "quote_currency": "USD", "status": "online"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Tick),
        ({"limit_only": True}, Tick),
        ({"status": "offline"}, MarketHalted),
        ({"trading_disabled": True}, MarketHalted),
        ({"post_only": True}, MarketHalted),
        ({"auction_mode": True}, MarketHalted),
    ],
)
async def test_the_status_of_a_product_counts(
    source: CoinbaseSource, exchange: LiteralExchange, changes: dict[str, object], expected: type
) -> None:
    """A product that is halted has no price, though its ticker goes on; with limit orders only, trades go on too."""
    exchange.say("/products", json.dumps([PRODUCT | changes]))
    exchange.say(PATH, TICKER)

    assert expected is type(await told(source, BTC))
