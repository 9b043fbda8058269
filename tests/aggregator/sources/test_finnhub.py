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
from tests.aggregator.fakes import BTC, LiteralExchange
from tests.aggregator.sources.making import make, told

QUOTE, CRYPTO, FOREX = "/api/v1/quote", "/api/v1/crypto/symbol", "/api/v1/forex/symbol"
TETHER, EURO, APPLE = Pair("BTC", "USDT"), Pair("EUR", "USD"), Pair("AAPL", "USD")
BODY = '{"c":261.74,"d":0.5,"dp":0.2,"h":263.31,"l":260.68,"o":261.07,"pc":259.45,"t":1582641000}'
TICK = Tick(Decimal("261.74"), 1_582_641_000_000)
NOTHING = '{"c":0,"d":null,"dp":null,"h":0,"l":0,"o":0,"pc":0,"t":0}'


@pytest.fixture(name="source")
async def _source(session: aiohttp.ClientSession, exchange: LiteralExchange) -> Source:
    """Give a Finnhub that has its listing."""
    exchange.say(CRYPTO, '[{"description":"Binance","displaySymbol":"BTC/USDT","symbol":"BINANCE:BTCUSDT"}]')
    exchange.say(FOREX, '[{"description":"Oanda","displaySymbol":"EUR/USD","symbol":"OANDA:EUR_USD"}]')
    return make("finnhub", session, exchange.url)


@pytest.mark.parametrize(
    ("pair", "symbol"), [(TETHER, "BINANCE:BTCUSDT"), (EURO, "OANDA:EUR_USD"), (APPLE, "AAPL")], ids=str
)
async def test_coins_currencies_and_shares(source: Source, exchange: LiteralExchange, pair: Pair, symbol: str) -> None:
    """Each kind has its own form of symbol; price and time are read."""
    exchange.say(QUOTE, BODY)

    assert {pair: TICK} == await source.fetch([pair])
    assert f"{QUOTE}?symbol={symbol}" == exchange.asked[-1]


async def test_a_coin_is_never_the_share_of_the_same_ticker(source: Source, exchange: LiteralExchange) -> None:
    """BTC in dollars is not listed, and the fund with the ticker BTC is not asked for."""
    outcomes = await source.fetch([BTC, Pair("AAPL", "EUR")])

    assert [UnknownPair, UnknownPair] == [type(outcome) for outcome in outcomes.values()]
    assert not any(path.startswith(QUOTE) for path in exchange.asked)


async def test_all_zeros_are_an_unknown_symbol(source: Source, exchange: LiteralExchange) -> None:
    """That is how it says so, with HTTP 200; a zero price with a time is a wrong price instead."""
    exchange.say(QUOTE, NOTHING, NOTHING.replace('"t":0', '"t":1582641000'))

    assert isinstance((await source.fetch([APPLE]))[APPLE], UnknownPair)
    assert {APPLE: Tick(0, 1_582_641_000_000)} == await source.fetch([APPLE])


async def test_a_symbol_outside_of_the_plan_concerns_only_itself(source: Source, exchange: LiteralExchange) -> None:
    """It is the pair's outcome, and says nothing about the source."""
    exchange.say(QUOTE, (403, '{"error":"You don\'t have access to this resource."}'))

    assert isinstance((await source.fetch([EURO]))[EURO], AccessRefused)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((200, '{"error":"API limit reached. Please try again later. Remaining Limit: 0"}'), SourceRateLimited),
        ((429, '{"error":"API limit reached. Please try again later. Remaining Limit: 0"}'), SourceRateLimited),
        ((401, '{"error":"Invalid API key"}'), AccessRefused),
        ((200, '{"error":"Invalid API key"}'), AccessRefused),
        ((200, '{"error":"Something"}'), SourceRateLimited),
        ((500, '{"error":"Something"}'), ProviderFault),
        ((404, "{}"), ProviderFault),
        ((200, "{}"), MalformedAnswer),
        ((200, '{"c":null,"t":0}'), MalformedAnswer),
        ((200, "[]"), MalformedAnswer),
    ],
)
async def test_errors_are_told_apart(
    source: Source, exchange: LiteralExchange, answer: tuple[int, str], expected: type[MeshError]
) -> None:
    """A limit comes with HTTP 200 too, and is no unknown pair."""
    exchange.say(QUOTE, answer)

    assert expected is type(await told(source, APPLE))


@pytest.mark.parametrize("text", ["{}", "5", "[1]", "[{}]", '[{"displaySymbol":5,"symbol":"x"}]', "null"])
async def test_a_malformed_listing_is_an_error(source: Source, exchange: LiteralExchange, text: str) -> None:
    """No coin becomes a share because the listing could not be read."""
    exchange.say(CRYPTO, text)
    exchange.say(FOREX, "[]")
    with pytest.raises(MalformedAnswer):
        await source.fetch([BTC])
