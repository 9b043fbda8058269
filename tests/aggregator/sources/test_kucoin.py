import aiohttp
import pytest

from meshkit.errors import MeshError
from services.aggregator.prices.errors import MalformedAnswer, ProviderFault, SourceRateLimited, UnknownPair
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.sources.source import Source
from tests.aggregator.fakes import LiteralExchange
from tests.aggregator.sources.making import make

ONE, ALL, LIST = "/api/v1/market/orderbook/level1", "/api/v1/market/allTickers", "/api/v2/symbols"
BTC, ETH, OLD = Pair("BTC", "USDT"), Pair("ETH", "USDT"), Pair("OLD", "USDT")
SYMBOLS = """{"code":"200000","data":[
 {"symbol":"BTC-USDT","name":"BTC-USDT","baseCurrency":"BTC","quoteCurrency":"USDT","enableTrading":true},
 {"symbol":"ETHX-USDT","name":"ETH-USDT","baseCurrency":"ETH","quoteCurrency":"USDT","enableTrading":true},
 {"symbol":"OLD-USDT","name":"OLD-USDT","baseCurrency":"OLD","quoteCurrency":"USDT","enableTrading":false}]}"""
LEVEL1 = (
    '{"code":"200000","data":{"time":1729172965609,"sequence":"14609309753","price":"67269","size":"0.000025",'
    '"bestBid":"67267.5","bestBidSize":"1","bestAsk":"67267.6","bestAskSize":"1"}}'
)
TICKERS = """{"code":"200000","data":{"time":1729173207043,"ticker":[
 {"symbol":"BTC-USDT","symbolName":"BTC-USDT","buy":"67192.5","sell":"67192.6","last":"67193"},
 {"symbol":"ETHX-USDT","symbolName":"ETH-USDT","buy":null,"sell":"2600.2","last":"2600.1"}]}}"""


@pytest.fixture(name="source")
async def _source(session: aiohttp.ClientSession, exchange: LiteralExchange) -> Source:
    """Give a KuCoin that has its listing."""
    exchange.say(LIST, SYMBOLS)
    return make("kucoin", session, exchange.url)


async def test_one_pair(source: Source, exchange: LiteralExchange) -> None:
    """Price, book and time are read from the single form."""
    exchange.say(ONE, LEVEL1)

    assert {BTC: Tick("67269", 1_729_172_965_609, "67267.5", "67267.6")} == await source.fetch([BTC])
    assert [LIST, f"{ONE}?symbol=BTC-USDT"] == exchange.asked


async def test_several_pairs_are_one_call(source: Source, exchange: LiteralExchange) -> None:
    """The form with all symbols serves them with its own time, also a renamed one; a halted one is unknown."""
    exchange.say(ALL, TICKERS)
    ticks = await source.fetch([ETH, BTC, OLD])

    assert Tick("67193", 1_729_173_207_043, "67192.5", "67192.6") == ticks[BTC]
    assert Tick("2600.1", 1_729_173_207_043, None, "2600.2") == ticks[ETH]
    assert isinstance(ticks[OLD], UnknownPair)
    assert [LIST, ALL] == exchange.asked


@pytest.mark.parametrize(
    "answer",
    [
        (200, '{"code":"900001","msg":"Trading pair BTC-USDT does not exist."}'),
        (400, '{"code":"400100","msg":"symbol is invalid"}'),
        (200, '{"code":"200000","data":null}'),
    ],
)
async def test_all_three_words_for_unknown(source: Source, exchange: LiteralExchange, answer: tuple[int, str]) -> None:
    """The pair does not exist, the parameter is no symbol, and nothing at all: each is an unknown pair."""
    exchange.say(ONE, answer)

    assert isinstance((await source.fetch([BTC]))[BTC], UnknownPair)


@pytest.mark.parametrize(
    ("answer", "wait_ms"),
    [
        ((429, '{"code":"429000","msg":"Too Many Requests"}', {"gw-ratelimit-reset": "1234"}), 1_234),
        ((429, '{"code":"429000","msg":"Too Many Requests"}', {"gw-ratelimit-reset": "0"}), 10_000),
        ((200, '{"code":"429000","msg":"Too Many Requests"}', {"gw-ratelimit-reset": "7"}), 10_000),
        ((200, '{"code":"200002","msg":"Too many requests"}', {}), 10_000),
        ((429, "error code: 1015", {"Retry-After": "30"}), 30_000),
    ],
)
async def test_limits_tell_their_wait(
    source: Source, exchange: LiteralExchange, answer: tuple[int, str, dict[str, str]], wait_ms: int
) -> None:
    """The time until the weight pool is full again counts for that limit only."""
    exchange.say(ONE, answer)
    with pytest.raises(SourceRateLimited) as caught:
        await source.fetch([BTC])

    assert wait_ms == caught.value.retry_after_ms


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((200, '{"code":"500000","msg":"Internal Server Error"}'), ProviderFault),
        ((404, '{"code":"404000","msg":"url not found"}'), ProviderFault),
        ((200, '{"code":"200000"}'), MalformedAnswer),
        ((200, '{"data":{}}'), MalformedAnswer),
    ],
)
async def test_other_codes_are_no_unknown_pairs(
    source: Source, exchange: LiteralExchange, answer: tuple[int, str], expected: type[MeshError]
) -> None:
    """A fault and an answer without its envelope are told apart from an unknown pair."""
    exchange.say(ONE, answer)
    with pytest.raises(expected):
        await source.fetch([BTC])


@pytest.mark.parametrize("data", ["{}", "[]", "5", '{"price":"1","time":"x","bestBid":"1","bestAsk":"1"}'])
async def test_an_answer_without_the_ticker_is_malformed(source: Source, exchange: LiteralExchange, data: str) -> None:
    """Alone, the pair's outcome is an error; among others, the whole answer is one."""
    exchange.say(ONE, f'{{"code":"200000","data":{data}}}')
    exchange.say(ALL, f'{{"code":"200000","data":{data}}}')

    assert isinstance((await source.fetch([BTC]))[BTC], MalformedAnswer)
    with pytest.raises(MalformedAnswer):
        await source.fetch([BTC, ETH])


@pytest.mark.parametrize("data", ["[]", "{}", "null", "[{}]", "[1]", "5"])
async def test_a_malformed_listing_is_an_error(source: Source, exchange: LiteralExchange, data: str) -> None:
    """No pair is called unknown because the listing could not be read."""
    exchange.say(LIST, f'{{"code":"200000","data":{data}}}')
    with pytest.raises(MalformedAnswer):
        await source.fetch([BTC])
