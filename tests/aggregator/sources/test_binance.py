import aiohttp
import pytest

from meshkit.clock import ManualClock
from meshkit.errors import MeshError
from services.aggregator.prices.errors import (
    MalformedAnswer,
    MarketHalted,
    PriceRefused,
    ProviderFault,
    SourceRateLimited,
    UnknownPair,
)
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.sources.binance import BinanceSource
from services.aggregator.sources.client import SourceClient
from tests.aggregator.fakes import LiteralExchange

BTCUSDT, ETHUSDT, OLD, GONE = Pair("BTC", "USDT"), Pair("ETH", "USDT"), Pair("OLD", "USDT"), Pair("GONE", "USDT")
INFO = """{"timezone":"UTC","symbols":[
 {"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT"},
 {"symbol":"ETHUSDT","status":"TRADING","baseAsset":"ETH","quoteAsset":"USDT"},
 {"symbol":"GONEUSDT","status":"TRADING","baseAsset":"GONE","quoteAsset":"USDT"},
 {"symbol":"OLDUSDT","status":"BREAK","baseAsset":"OLD","quoteAsset":"USDT"}]}"""
INVALID = (400, '{"code":-1121,"msg":"Invalid symbol."}')
BTC_ROW = '{"symbol":"BTCUSDT","price":"113393.43000000"}'


@pytest.fixture(name="source")
async def _source(session: aiohttp.ClientSession, exchange: LiteralExchange) -> BinanceSource:
    """Give a Binance that has its listing."""
    clock = ManualClock()
    exchange.say("/api/v3/exchangeInfo", INFO)
    return BinanceSource(SourceClient(session, BinanceSource.DECLARATION, clock, base_url=exchange.url), clock)


async def test_one_pair(source: BinanceSource, exchange: LiteralExchange) -> None:
    """One symbol is asked for in the single form, and the answer has no time of its own."""
    exchange.say("/api/v3/ticker/price", BTC_ROW)

    assert {BTCUSDT: Tick("113393.43000000")} == await source.fetch([BTCUSDT])
    assert "/api/v3/ticker/price?symbol=BTCUSDT" == exchange.asked[-1]


async def test_a_batch_in_one_call(source: BinanceSource, exchange: LiteralExchange) -> None:
    """Several symbols are one call, whatever the order of the answer."""
    exchange.say("/api/v3/ticker/price", f'[{{"symbol":"ETHUSDT","price":"3921.5"}},{BTC_ROW}]')
    ticks = await source.fetch([BTCUSDT, ETHUSDT])

    assert {BTCUSDT: Tick("113393.43000000"), ETHUSDT: Tick("3921.5")} == ticks
    assert 2 == len(exchange.asked)


async def test_pairs_outside_of_the_listing_are_unknown_without_a_call(
    source: BinanceSource, exchange: LiteralExchange
) -> None:
    """Neither an unlisted pair nor one that is not trading is asked for."""
    ticks = await source.fetch([OLD, Pair("BTC", "XYZ")])

    assert [UnknownPair, UnknownPair] == [type(outcome) for outcome in ticks.values()]
    assert ["/api/v3/exchangeInfo"] == exchange.asked


async def test_one_bad_symbol_does_not_spoil_the_batch(source: BinanceSource, exchange: LiteralExchange) -> None:
    """A batch refused for one symbol is asked in halves until the bad one is alone."""
    exchange.say("/api/v3/ticker/price", INVALID, BTC_ROW, INVALID)
    ticks = await source.fetch([BTCUSDT, GONE])

    assert Tick("113393.43000000") == ticks[BTCUSDT]
    assert isinstance(ticks[GONE], UnknownPair)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((400, '{"code":-1003,"msg":"Too many requests"}'), SourceRateLimited),
        ((429, '{"code":-1003,"msg":"Too many requests"}'), SourceRateLimited),
        ((418, "{}"), SourceRateLimited),
        ((400, '{"code":-1100,"msg":"Illegal characters"}'), ProviderFault),
        ((404, '{"message":"page not found"}'), ProviderFault),
    ],
)
async def test_other_refusals_are_no_unknown_pairs(
    source: BinanceSource, exchange: LiteralExchange, answer: tuple[int, str], expected: type[MeshError]
) -> None:
    """A limit, a fault and a foreign 404 are told apart from an unknown pair."""
    exchange.say("/api/v3/ticker/price", answer)
    with pytest.raises(expected):
        await source.fetch([BTCUSDT])


@pytest.mark.parametrize("text", ["[]", "{}", "null", '"x"', '[{"symbol":"ETHUSDT","price":"1"}]', "[1]"])
async def test_an_answer_without_the_price_is_malformed(
    source: BinanceSource, exchange: LiteralExchange, text: str
) -> None:
    """Whatever else the answer says, the pair's outcome is an error."""
    exchange.say("/api/v3/ticker/price", text)

    assert isinstance((await source.fetch([BTCUSDT]))[BTCUSDT], MalformedAnswer)


@pytest.mark.parametrize("text", ["[]", "null", '{"symbols":[{}]}', '{"symbols":null}'])
async def test_a_malformed_listing_is_an_error(source: BinanceSource, exchange: LiteralExchange, text: str) -> None:
    """No pair is called unknown because the listing could not be read."""
    exchange.say("/api/v3/exchangeInfo", text)
    with pytest.raises(MalformedAnswer):
        await source.fetch([BTCUSDT])


async def test_a_halt_after_the_listing_is_seen(session: aiohttp.ClientSession, exchange: LiteralExchange) -> None:
    """The last price of a market that was halted since is none, though it goes on being told."""
    clock = ManualClock()
    source = BinanceSource(SourceClient(session, BinanceSource.DECLARATION, clock, base_url=exchange.url), clock)
    exchange.say("/api/v3/exchangeInfo", INFO)
    exchange.say("/api/v3/ticker/price", BTC_ROW)
    assert isinstance((await source.fetch([BTCUSDT]))[BTCUSDT], Tick)
    exchange.say("/api/v3/exchangeInfo", INFO.replace("TRADING", "BREAK"))
    clock.advance(59)

    assert isinstance((await source.fetch([BTCUSDT]))[BTCUSDT], MarketHalted)
    assert "/api/v3/exchangeInfo?symbols=%5B%22BTCUSDT%22%5D" == exchange.asked[-1]


async def test_without_a_sign_of_life_there_is_no_price(
    session: aiohttp.ClientSession, exchange: LiteralExchange
) -> None:
    """A price that never moves counts only while the exchange says that the market is traded."""
    clock = ManualClock()
    source = BinanceSource(SourceClient(session, BinanceSource.DECLARATION, clock, base_url=exchange.url), clock)
    exchange.say("/api/v3/exchangeInfo", INFO, (503, ""))
    exchange.say("/api/v3/ticker/price", BTC_ROW)
    kinds = []
    for seconds in (0, 60, 60):
        clock.advance(seconds)
        kinds.append(type((await source.fetch([BTCUSDT]))[BTCUSDT]))
    exchange.say("/api/v3/ticker/price", BTC_ROW.replace("113393", "113394"))

    assert [Tick, Tick, PriceRefused] == kinds
    assert isinstance((await source.fetch([BTCUSDT]))[BTCUSDT], Tick)


async def test_an_answer_out_of_a_cache_is_as_old_as_that(source: BinanceSource, exchange: LiteralExchange) -> None:
    """It has no time of its own, so that of the cache counts."""
    exchange.say("/api/v3/ticker/price", (200, BTC_ROW, {"Age": "600"}))

    assert {BTCUSDT: Tick("113393.43000000", age_ms=600_000)} == await source.fetch([BTCUSDT])


@pytest.mark.parametrize("row", ["null", "5", "[]", "{}", '{"symbol":["A"],"status":"TRADING"}'])
async def test_a_bad_row_of_the_listing_costs_only_itself(
    session: aiohttp.ClientSession, exchange: LiteralExchange, row: str
) -> None:
    """The pairs beside it are listed."""
    clock = ManualClock()
    source = BinanceSource(SourceClient(session, BinanceSource.DECLARATION, clock, base_url=exchange.url), clock)
    exchange.say("/api/v3/exchangeInfo", INFO.replace('"symbols":[', f'"symbols":[{row},'))
    exchange.say("/api/v3/ticker/price", BTC_ROW)

    assert isinstance((await source.fetch([BTCUSDT]))[BTCUSDT], Tick)


async def test_an_empty_listing_makes_no_pair_unknown(
    session: aiohttp.ClientSession, exchange: LiteralExchange
) -> None:
    """It is an error, and the next fetch finds the pairs."""
    clock = ManualClock()
    source = BinanceSource(SourceClient(session, BinanceSource.DECLARATION, clock, base_url=exchange.url), clock)
    exchange.say("/api/v3/exchangeInfo", '{"symbols":[]}', INFO)
    exchange.say("/api/v3/ticker/price", BTC_ROW)
    with pytest.raises(MalformedAnswer):
        await source.fetch([BTCUSDT])

    assert isinstance((await source.fetch([BTCUSDT]))[BTCUSDT], Tick)
