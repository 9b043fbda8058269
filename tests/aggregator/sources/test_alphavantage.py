import aiohttp
import pytest

from meshkit.errors import MeshError
from services.aggregator.prices.errors import (
    AccessRefused,
    MalformedAnswer,
    ProviderFault,
    SourceRateLimited,
    UnknownPair,
)
from services.aggregator.prices.quote import Tick
from services.aggregator.sources.source import Source
from tests.aggregator.fakes import BTC, LiteralExchange
from tests.aggregator.sources.making import KEY, make, told

PATH = "/query"
RATE = """{"Realtime Currency Exchange Rate":{"1. From_Currency Code":"BTC","2. From_Currency Name":"Bitcoin",
 "3. To_Currency Code":"USD","4. To_Currency Name":"United States Dollar","5. Exchange Rate":"113203.71000000",
 "6. Last Refreshed":"2025-09-29 12:00:01","7. Time Zone":"UTC","8. Bid Price":"113203.70","9. Ask Price":"-"}}"""
DAILY = (
    "We have detected your API key as A-KEY-FOR-TESTS and our standard API rate limit is 25 requests per day. Please "
    "subscribe to any of the premium plans to instantly remove all daily rate limits."
)
BURST = (
    "Thank you for using Alpha Vantage! Please consider spreading out your free API requests more sparingly (1 request "
    "per second). You may subscribe to any of the premium plans to lift the free key rate limit (25 requests per day)."
)


@pytest.fixture(name="source")
async def _source(session: aiohttp.ClientSession, exchange: LiteralExchange) -> Source:
    """Give an Alpha Vantage."""
    return make("alphavantage", session, exchange.url)


async def test_a_rate_has_its_time_and_book(source: Source, exchange: LiteralExchange) -> None:
    """The time is text in UTC, and a side that it does not have is a dash."""
    exchange.say(PATH, RATE)

    assert {BTC: Tick("113203.71000000", 1_759_147_201_000, "113203.70", None)} == await source.fetch([BTC])
    assert [f"{PATH}?function=CURRENCY_EXCHANGE_RATE&from_currency=BTC&to_currency=USD&apikey={KEY}"] == exchange.asked


@pytest.mark.parametrize(
    ("field", "text", "wait_ms"),
    [
        ("Information", DAILY, 3_600_000),
        ("Information", BURST, 2_000),
        ("Note", "Our standard API call frequency is 5 calls per minute and 500 calls per day.", 60_000),
        ("Information", "Something new.", 60_000),
    ],
)
async def test_notices_are_limits_and_never_unknown_pairs(
    source: Source, exchange: LiteralExchange, field: str, text: str, wait_ms: int
) -> None:
    """Each kind of limit has its wait; the key that a notice holds is not in the error."""
    exchange.say(PATH, f'{{"{field}":"{text}"}}')
    with pytest.raises(SourceRateLimited) as caught:
        await source.fetch([BTC])

    assert wait_ms == caught.value.retry_after_ms
    assert KEY.upper() not in str(caught.value).upper()


@pytest.mark.parametrize(
    "body",
    [
        '{"Information":"The **demo** API key is for demo purposes only. Please claim your free API key."}',
        '{"Information":"Thank you! This is a premium endpoint."}',
        '{"Error Message":"the parameter apikey is invalid or missing. Please claim your free API key."}',
    ],
)
async def test_refusals_are_told_apart(source: Source, exchange: LiteralExchange, body: str) -> None:
    """A demo key, a plan without the endpoint and a wrong key are refusals."""
    exchange.say(PATH, body)
    with pytest.raises(AccessRefused):
        await source.fetch([BTC])


async def test_an_unknown_pair(source: Source, exchange: LiteralExchange) -> None:
    """An invalid call is the provider's only word for it."""
    text = "Invalid API call. Please retry or visit the documentation for CURRENCY_EXCHANGE_RATE."
    exchange.say(PATH, f'{{"Error Message":"{text}"}}')

    assert isinstance((await source.fetch([BTC]))[BTC], UnknownPair)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((200, "{}"), MalformedAnswer),
        ((200, "[]"), MalformedAnswer),
        ((200, RATE.replace("UTC", "US/Eastern")), MalformedAnswer),
        ((200, RATE.replace("2025-09-29 ", "")), MalformedAnswer),
        ((200, RATE.replace('"BTC"', '"ETH"')), MalformedAnswer),
        ((404, "{}"), ProviderFault),
    ],
)
async def test_other_answers_are_no_prices(
    source: Source, exchange: LiteralExchange, answer: tuple[int, str], expected: type[MeshError]
) -> None:
    """Another pair, another time zone and a foreign page are errors."""
    exchange.say(PATH, answer)

    assert expected is type(await told(source, BTC))


@pytest.mark.parametrize(
    "body",
    [
        '{"Notice":"Please upgrade your subscription."}',
        '{"Error Message":"Your free trial has ended."}',
        '{"Warning":"words that nobody knows"}',
        '{"status":"busy"}',
    ],
)
async def test_words_that_are_new_to_us_are_a_limit(source: Source, exchange: LiteralExchange, body: str) -> None:
    """A refusal is known by the absence of a rate, whatever it is called, and never says that there is no pair."""
    exchange.say(PATH, body)

    assert isinstance(await told(source, BTC), SourceRateLimited)


async def test_a_rate_beside_a_notice_is_a_rate(source: Source, exchange: LiteralExchange) -> None:
    """What is told beside the data is no refusal."""
    exchange.say(PATH, RATE.replace("{", '{"Information":"our standard API rate limit is 25 requests per day",', 1))

    assert isinstance(await told(source, BTC), Tick)
