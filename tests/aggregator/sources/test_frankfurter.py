from decimal import Decimal

import aiohttp
import pytest

from meshkit.clock import ManualClock
from meshkit.errors import MeshError
from services.aggregator.prices.errors import MalformedAnswer, ProviderFault, SourceRateLimited, UnknownPair
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.sources.source import Source
from tests.aggregator.fakes import LiteralExchange
from tests.aggregator.sources.making import make

LATEST, CURRENCIES = "/v1/latest", "/v1/currencies"
EURO, YEN, DOLLAR = Pair("EUR", "USD"), Pair("JPY", "USD"), Pair("USD", "EUR")
RATES = '{"amount":1.0,"base":"EUR","date":"2026-08-20","rates":{"JPY":172.35,"USD":1.1641}}'
DAY_MS = 1_787_184_000_000


@pytest.fixture(name="source")
async def _source(session: aiohttp.ClientSession, exchange: LiteralExchange) -> Source:
    """Give a Frankfurter of three currencies."""
    exchange.say(CURRENCIES, '{"EUR":"Euro","JPY":"Japanese Yen","USD":"United States Dollar"}')
    return make("frankfurter", session, exchange.url)


async def test_all_pairs_are_one_call_with_the_date_as_their_time(source: Source, exchange: LiteralExchange) -> None:
    """The euro's rates are taken as published, and the date is the exchange time."""
    exchange.say(LATEST, RATES)
    ticks = await source.fetch([EURO, YEN, DOLLAR])

    assert Tick(Decimal("1.1641"), DAY_MS) == ticks[EURO]
    assert {DAY_MS} == {getattr(tick, "exchange_time_ms", None) for tick in ticks.values()}
    assert [f"{LATEST}?base=EUR"] == exchange.asked


async def test_a_small_rate_keeps_its_digits(source: Source, exchange: LiteralExchange) -> None:
    """A yen in dollars is divided here with thirty digits; Frankfurter itself would round it to 0.00675."""
    exchange.say(LATEST, RATES)
    tick = (await source.fetch([YEN]))[YEN]

    assert isinstance(tick, Tick)
    assert "0.00675427908326080649840440963156" == str(tick.price)


async def test_an_absent_currency_is_unknown_only_if_the_list_says_so(
    source: Source, exchange: LiteralExchange
) -> None:
    """The list tells an unknown currency from an incomplete answer; a currency in itself has no price."""
    exchange.say(LATEST, RATES.replace('"JPY":172.35,', ""))
    peso, same = Pair("COP", "USD"), Pair("USD", "USD")
    ticks = await source.fetch([EURO, YEN, peso, same])

    assert [Tick, MalformedAnswer, UnknownPair, UnknownPair] == [type(ticks[p]) for p in (EURO, YEN, peso, same)]


async def test_rates_are_kept_when_the_list_cannot_be_read(source: Source, exchange: LiteralExchange) -> None:
    """The failure concerns only the pairs that are missing."""
    exchange.say(LATEST, RATES)
    exchange.say(CURRENCIES, (503, ""))
    ticks = await source.fetch([EURO, Pair("COP", "USD")])

    assert [Tick, ProviderFault] == [type(tick) for tick in ticks.values()]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((429, "{}"), SourceRateLimited),
        ((301, ""), ProviderFault),
        ((404, '{"message":"not found"}'), ProviderFault),
        ((422, '{"message":"bad currency pair"}'), ProviderFault),
        ((404, "<html>Cloudflare</html>"), MalformedAnswer),
        ((200, "{}"), MalformedAnswer),
        ((200, "[]"), MalformedAnswer),
        ((200, RATES.replace("2026-08-20", "today")), MalformedAnswer),
        ((200, RATES.replace('"EUR"', '"USD"')), MalformedAnswer),
        ((200, RATES.replace("1.0", "100")), MalformedAnswer),
        ((200, RATES.replace("1.0", "true")), MalformedAnswer),
        ((200, RATES.replace('"JPY"', '"EUR"')), MalformedAnswer),
    ],
)
async def test_other_answers_are_no_unknown_pairs(
    source: Source, exchange: LiteralExchange, answer: tuple[int, str], expected: type[MeshError]
) -> None:
    """One call serves all pairs, so no refusal of it is about one of them."""
    exchange.say(LATEST, answer)
    with pytest.raises(expected):
        await source.fetch([EURO])


@pytest.mark.parametrize(
    "rate", ["0", "-172.35", "0.0", "null", '"x"', "true", "[1]", "{}", "1e400", "1e-300", '"NaN"', '1,"JPY":2']
)
async def test_a_rate_that_cannot_be_spoils_only_its_pairs(
    source: Source, exchange: LiteralExchange, rate: str
) -> None:
    """Nothing is divided by it, and the others go on."""
    exchange.say(LATEST, RATES.replace("172.35", rate))
    ticks = await source.fetch([EURO, YEN])

    assert [Tick, MalformedAnswer] == [type(tick) for tick in ticks.values()]


@pytest.mark.parametrize(
    ("hours_before", "expected"), [(-5, DAY_MS), (1, DAY_MS - 3_600_000), (24, DAY_MS - 86_400_000), (25, DAY_MS)]
)
async def test_a_date_of_tomorrow_is_a_time_of_now(
    session: aiohttp.ClientSession, exchange: LiteralExchange, hours_before: int, expected: int
) -> None:
    """Near midnight the rates are dated ahead; what is dated further ahead stays a time of the future."""
    clock = ManualClock(DAY_MS - hours_before * 3_600_000)
    exchange.say(LATEST, RATES)
    tick = (await make("frankfurter", session, exchange.url, clock=clock).fetch([EURO]))[EURO]

    assert isinstance(tick, Tick)
    assert expected == tick.exchange_time_ms
