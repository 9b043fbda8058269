from decimal import Decimal

import aiohttp
import pytest

from meshkit.clock import ManualClock
from meshkit.errors import MeshError
from services.aggregator.prices.errors import (
    MalformedAnswer,
    PriceRefused,
    ProviderFault,
    SourceRateLimited,
    UnknownPair,
)
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.sources.source import Source
from services.aggregator.sources.yahoofinance import symbol_of
from tests.aggregator.fakes import BTC, LiteralExchange
from tests.aggregator.sources.making import make, told

CHART = "/v8/finance/chart/"
APPLE, EURO = Pair("AAPL", "USD"), Pair("EUR", "USD")
CLOSE_S = 1_758_648_000
NOT_FOUND = '{"chart":{"result":null,"error":{"code":"Not Found","description":"No data found"}}}'


def chart(symbol: str, price: str, currency: str = "USD", time_s: int = CLOSE_S, hours: str = "") -> str:
    """Return a chart; `hours` is the regular trading period as start-end in Unix seconds."""
    start, _, end = hours.partition("-")
    period = f',"currentTradingPeriod":{{"regular":{{"start":{start},"end":{end}}}}}' if hours else ""
    return (
        f'{{"chart":{{"result":[{{"meta":{{"currency":"{currency}","symbol":"{symbol}","exchangeName":"NMS",'
        f'"instrumentType":"EQUITY","regularMarketTime":{time_s},"regularMarketPrice":{price}{period}}},'
        '"timestamp":[],"indicators":{"quote":[{}]}}],"error":null}}'
    )


@pytest.fixture(name="clock")
def _clock() -> ManualClock:
    """Give a clock at the time of the prices."""
    return ManualClock(CLOSE_S * 1000)


@pytest.fixture(name="source")
async def _source(session: aiohttp.ClientSession, exchange: LiteralExchange, clock: ManualClock) -> Source:
    """Give a Yahoo."""
    return make("yahoofinance", session, exchange.url, clock=clock)


async def test_a_share(source: Source, exchange: LiteralExchange) -> None:
    """Price and market time are read from the chart's head."""
    exchange.say(f"{CHART}AAPL", chart("AAPL", "254.43"))

    assert {APPLE: Tick(Decimal("254.43"), CLOSE_S * 1000)} == await source.fetch([APPLE])
    assert [f"{CHART}AAPL?interval=1d&range=1d"] == exchange.asked


@pytest.mark.parametrize(
    ("pair", "symbol"),
    [
        (APPLE, "AAPL"),
        (Pair("CSPX.L", "USD"), "CSPX.L"),
        (Pair("C3M.PA", "EUR"), "C3M.PA"),
        (Pair("BRK-B", "USD"), "BRK-B"),
        (EURO, "EURUSD=X"),
        (Pair("USD", "JPY"), "USDJPY=X"),
        (BTC, "BTC-USD"),
        (Pair("UNI7083-USD", "USD"), "UNI7083-USD"),
    ],
    ids=str,
)
def test_symbols(pair: Pair, symbol: str) -> None:
    """Shares stand for themselves, two currencies are a rate, and a great coin is not the fund of its ticker."""
    assert symbol == symbol_of(pair)


@pytest.mark.parametrize(
    ("currency", "quote", "price", "expected"),
    [("GBp", "GBP", "7012.5", "70.125"), ("ZAc", "ZAR", "100", "1.00"), ("GBP", "GBP", "7012.5", "7012.5")],
)
async def test_hundredths_are_converted(
    source: Source, exchange: LiteralExchange, currency: str, quote: str, price: str, expected: str
) -> None:
    """London quotes in pence; only the spelling of the currency tells."""
    exchange.say(f"{CHART}VOD.L", chart("VOD.L", price, currency))
    pair = Pair("VOD.L", quote)

    assert {pair: Tick(Decimal(expected), CLOSE_S * 1000)} == await source.fetch([pair])


async def test_another_currency_is_another_pair(source: Source, exchange: LiteralExchange) -> None:
    """Apple in euros must not be Apple in dollars."""
    exchange.say(f"{CHART}AAPL", chart("AAPL", "254.43"))
    pair = Pair("AAPL", "EUR")

    assert isinstance((await source.fetch([pair]))[pair], UnknownPair)


async def test_the_last_price_counts_while_the_market_is_closed(
    source: Source, exchange: LiteralExchange, clock: ManualClock
) -> None:
    """Overnight it is served with its own time; an hour after the opening it has to be a new one."""
    opens_s = CLOSE_S + 61_200
    exchange.say(f"{CHART}AAPL", chart("AAPL", "254.43", hours=f"{opens_s}-{opens_s + 23_400}"))
    kinds = []
    for advance_s in (43_200, 18_000, 3_600):
        clock.advance(advance_s)
        kinds.append(type((await source.fetch([APPLE]))[APPLE]))

    assert [Tick, Tick, PriceRefused] == kinds


async def test_an_old_price_of_a_market_of_unknown_hours_is_refused(
    source: Source, exchange: LiteralExchange, clock: ManualClock
) -> None:
    """Without hours nothing excuses the age."""
    exchange.say(f"{CHART}AAPL", chart("AAPL", "254.43"))
    clock.advance(3_601)

    assert isinstance((await source.fetch([APPLE]))[APPLE], PriceRefused)


@pytest.mark.parametrize("status", [200, 404])
async def test_its_own_not_found_is_an_unknown_pair(source: Source, exchange: LiteralExchange, status: int) -> None:
    """Only that code in a chart makes it one."""
    exchange.say(f"{CHART}AAPL", (status, NOT_FOUND))

    assert isinstance((await source.fetch([APPLE]))[APPLE], UnknownPair)


async def test_a_symbol_of_dots_is_no_path(source: Source, exchange: LiteralExchange) -> None:
    """It would ask for another address."""
    pair = Pair("..", "USD")

    assert isinstance((await source.fetch([pair]))[pair], UnknownPair)
    assert [] == exchange.asked


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((429, "Too Many Requests"), SourceRateLimited),
        ((404, '{"message":"route not found"}'), ProviderFault),
        ((404, NOT_FOUND.replace("Not Found", "Other")), ProviderFault),
        ((422, NOT_FOUND.replace("Not Found", "Bad Request")), ProviderFault),
        ((404, "<html>"), MalformedAnswer),
        ((200, "{}"), MalformedAnswer),
        ((200, '{"chart":{"result":[],"error":null}}'), MalformedAnswer),
        ((200, '{"chart":{"result":null,"error":null}}'), MalformedAnswer),
        ((200, chart("AAPL", "null")), MalformedAnswer),
        ((200, chart("MSFT", "1")), MalformedAnswer),
        ((200, chart("AAPL", "1").replace("1758648000", '"now"')), MalformedAnswer),
    ],
)
async def test_other_answers_are_told_apart(
    source: Source, exchange: LiteralExchange, answer: tuple[int, str], expected: type[MeshError]
) -> None:
    """A limit, a foreign 404 and an answer about another symbol are no unknown pair and no price."""
    exchange.say(f"{CHART}AAPL", answer)

    assert expected is type(await told(source, APPLE))
