from decimal import Decimal

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
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.sources.source import Source
from tests.aggregator.fakes import LiteralExchange
from tests.aggregator.sources.making import KEY, make

LIVE, LIST = "/live", "/list"
EURO, POUND, YEN, BAD = Pair("USD", "EUR"), Pair("USD", "GBP"), Pair("JPY", "USD"), Pair("USD", "XXX")
RATES = (
    '{"success":true,"terms":"t","privacy":"p","timestamp":1430401802,"source":"USD",'
    '"quotes":{"USDEUR":0.8803451234567891,"USDGBP":0.76}}'
)


def error(code: int) -> str:
    """Return an answer with an error."""
    return f'{{"success":false,"error":{{"code":{code},"type":"some_type","info":"some text"}}}}'


@pytest.fixture(name="source")
async def _source(session: aiohttp.ClientSession, exchange: LiteralExchange) -> Source:
    """Give an exchangerate.host of four currencies."""
    exchange.say(LIST, '{"success":true,"currencies":{"EUR":"Euro","GBP":"Pound","JPY":"Yen","USD":"Dollar"}}')
    return make("exchangeratehost", session, exchange.url)


async def test_the_currencies_of_one_source_are_one_call(source: Source, exchange: LiteralExchange) -> None:
    """Rates keep their digits and have the answer's time."""
    exchange.say(LIVE, RATES)

    assert {
        EURO: Tick(Decimal("0.8803451234567891"), 1_430_401_802_000),
        POUND: Tick(Decimal("0.76"), 1_430_401_802_000),
    } == await source.fetch([EURO, POUND])
    assert [f"{LIVE}?source=USD&currencies=EUR,GBP&access_key={KEY}"] == exchange.asked


async def test_what_was_paid_for_is_kept_when_a_later_call_fails(source: Source, exchange: LiteralExchange) -> None:
    """Each source currency is a call, and the quota may end between two of them."""
    exchange.say(LIVE, RATES, error(104))
    ticks = await source.fetch([EURO, YEN])

    assert [Tick, SourceRateLimited] == [type(ticks[pair]) for pair in (EURO, YEN)]


@pytest.mark.parametrize("code", [201, 202])
async def test_an_unknown_currency(source: Source, exchange: LiteralExchange, code: int) -> None:
    """Alone it costs one call."""
    exchange.say(LIVE, error(code))

    assert isinstance((await source.fetch([BAD]))[BAD], UnknownPair)
    assert 1 == len(exchange.asked)


async def test_an_unknown_currency_does_not_spoil_the_call(source: Source, exchange: LiteralExchange) -> None:
    """The list tells which it was, and the others are asked for again."""
    exchange.say(LIVE, error(202), RATES)
    ticks = await source.fetch([EURO, BAD, POUND])

    assert [Tick, UnknownPair, Tick] == [type(ticks[pair]) for pair in (EURO, BAD, POUND)]
    assert f"{LIVE}?source=USD&currencies=EUR,GBP&access_key={KEY}" == exchange.asked[-1]
    assert 3 == len(exchange.asked)


async def test_an_absent_rate_is_unknown_only_if_the_list_says_so(source: Source, exchange: LiteralExchange) -> None:
    """An unlisted currency is unknown, a listed one is missing by mistake."""
    exchange.say(LIVE, RATES.replace(',"USDGBP":0.76', ""))
    ticks = await source.fetch([EURO, BAD, POUND])

    assert [Tick, UnknownPair, MalformedAnswer] == [type(ticks[pair]) for pair in (EURO, BAD, POUND)]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((200, error(101)), AccessRefused),
        ((200, error(102)), AccessRefused),
        ((200, error(105)), AccessRefused),
        ((200, error(104)), SourceRateLimited),
        ((429, error(106)), SourceRateLimited),
        ((200, error(106)), ProviderFault),
        ((200, error(301)), ProviderFault),
        ((404, error(103)), ProviderFault),
        ((200, '{"success":false}'), ProviderFault),
        ((200, "{}"), MalformedAnswer),
        ((200, '{"success":true}'), MalformedAnswer),
        ((200, RATES.replace('"USD"', '"EUR"')), MalformedAnswer),
    ],
)
async def test_errors_inside_http_200_are_errors(
    source: Source, exchange: LiteralExchange, answer: tuple[int, str], expected: type[MeshError]
) -> None:
    """A refused key, a quota and a fault are no unknown pair."""
    exchange.say(LIVE, answer)
    with pytest.raises(expected):
        await source.fetch([EURO])
