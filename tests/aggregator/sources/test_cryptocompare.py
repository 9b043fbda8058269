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
from tests.aggregator.fakes import BTC, ETH, LiteralExchange
from tests.aggregator.sources.making import make

PATH = "/index/cc/v1/latest/tick"
BAD, WORSE = Pair("BAD", "USD"), Pair("WORSE", "USD")


def row(name: str, value: str) -> str:
    """Return an instrument's value."""
    return (
        f'"{name}":{{"TYPE":"266","MARKET":"cadli","INSTRUMENT":"{name}","VALUE":{value},'
        '"VALUE_LAST_UPDATE_TS":1780159779,"VALUE_LAST_UPDATE_TS_NS":5}'
    )


def data(*rows: str) -> str:
    """Return a successful answer."""
    return '{"Data":{' + ",".join(rows) + '},"Err":{}}'


def error(kind: int, message: str, *values: str) -> str:
    """Return an answer with an error, which may name the values that are wrong."""
    named = ",".join(f'"{value}"' for value in values)
    info = f'{{"param":"instruments","values":[{named}]}}' if values else "{}"
    return f'{{"Data":{{}},"Err":{{"type":{kind},"message":"{message}","other_info":{info}}}}}'


@pytest.fixture(name="source")
async def _source(session: aiohttp.ClientSession, exchange: LiteralExchange) -> Source:
    """Give a CryptoCompare."""
    return make("cryptocompare", session, exchange.url)


async def test_pairs_are_one_call(source: Source, exchange: LiteralExchange) -> None:
    """The index value keeps its digits and has the time of its last update."""
    exchange.say(PATH, data(row("ETH-USD", "2000"), row("BTC-USD", "73838.870123456789012")))
    ticks = await source.fetch([BTC, ETH])

    assert Tick(Decimal("73838.870123456789012"), 1_780_159_779_000) == ticks[BTC]
    assert Tick(2000, 1_780_159_779_000) == ticks[ETH]
    assert [f"{PATH}?market=cadli&instruments=BTC-USD,ETH-USD&groups=VALUE"] == exchange.asked


@pytest.mark.parametrize("text", ["Instruments not found: BAD-USD", "Not found."])
async def test_an_unknown_instrument_alone(source: Source, exchange: LiteralExchange, text: str) -> None:
    """A 404 about the instrument is the provider's own word, in its text or in its list."""
    exchange.say(PATH, (404, error(1, text, "BAD-USD")))

    assert isinstance((await source.fetch([BAD]))[BAD], UnknownPair)


async def test_named_instruments_do_not_spoil_the_batch(source: Source, exchange: LiteralExchange) -> None:
    """What the error names is unknown, and the others are asked for again in one call."""
    exchange.say(PATH, (404, error(1, "Not found", "BAD-USD", "WORSE-USD")), data(row("BTC-USD", "1")))
    ticks = await source.fetch([BAD, BTC, WORSE])

    assert [UnknownPair, Tick, UnknownPair] == [type(ticks[pair]) for pair in (BAD, BTC, WORSE)]
    assert 2 == len(exchange.asked)


async def test_instruments_left_out_are_asked_for_alone(source: Source, exchange: LiteralExchange) -> None:
    """Beside known ones, unknown ones are just absent; one more call has the provider say so."""
    exchange.say(PATH, data(row("BTC-USD", "1")), (404, error(1, "Instruments not found: BAD-USD, WORSE-USD")))
    ticks = await source.fetch([BAD, BTC, WORSE])

    assert [UnknownPair, Tick, UnknownPair] == [type(ticks[pair]) for pair in (BAD, BTC, WORSE)]
    assert 2 == len(exchange.asked)


async def test_an_error_that_names_nothing_is_divided(source: Source, exchange: LiteralExchange) -> None:
    """Without names, halves find the bad one."""
    nameless = (404, error(1, "An instrument was not found"))
    exchange.say(PATH, nameless, nameless, data(row("BTC-USD", "1")))
    ticks = await source.fetch([BAD, BTC])

    assert [UnknownPair, Tick] == [type(ticks[pair]) for pair in (BAD, BTC)]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((200, error(99, "You are over your rate limit")), SourceRateLimited),
        ((429, error(99, "You are over your rate limit")), SourceRateLimited),
        ((401, error(2, "API key required")), AccessRefused),
        ((404, error(1, "Market not found.")), ProviderFault),
        ((404, '{"message":"page not found"}'), ProviderFault),
        ((200, error(1, "instrument trouble")), SourceRateLimited),
        ((200, "{}"), MalformedAnswer),
        ((200, "[]"), MalformedAnswer),
    ],
)
async def test_other_errors_are_no_unknown_pairs(
    source: Source, exchange: LiteralExchange, answer: tuple[int, str], expected: type[MeshError]
) -> None:
    """A limit, a refused key, a missing market and a foreign 404 are told apart from an unknown pair."""
    exchange.say(PATH, answer)
    with pytest.raises(expected):
        await source.fetch([BTC])


@pytest.mark.parametrize("text", [data(), data('"BTC-USD":{"VALUE":1}'), data('"BTC-USD":7')])
async def test_an_answer_without_the_value_is_malformed(source: Source, exchange: LiteralExchange, text: str) -> None:
    """An empty success says nothing about the pair, and asking again once is enough."""
    exchange.say(PATH, text)

    assert isinstance((await source.fetch([BTC]))[BTC], MalformedAnswer)
    assert 1 == len(exchange.asked)
