import aiohttp
import pytest

from meshkit.errors import MeshError
from services.aggregator.prices.errors import MalformedAnswer, ProviderFault, SourceRateLimited, UnknownPair
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.sources.source import Source
from tests.aggregator.fakes import BTC, ETH, LiteralExchange
from tests.aggregator.sources.making import make

ONE, ALL, LIST = "/api/v5/market/ticker", "/api/v5/market/tickers", "/api/v5/public/instruments"
OLD = Pair("OLD", "USD")
INSTRUMENTS = """{"code":"0","msg":"","data":[
 {"instType":"SPOT","instId":"BTC-USD","baseCcy":"BTC","quoteCcy":"USD","state":"live"},
 {"instType":"SPOT","instId":"ETH-USD","baseCcy":"ETH","quoteCcy":"USD","state":"live"},
 {"instType":"SPOT","instId":"OLD-USD","baseCcy":"OLD","quoteCcy":"USD","state":"suspend"}]}"""
ROW = (
    '{"instType":"SPOT","instId":"BTC-USD","last":"113250.2","lastSz":"0.1","askPx":"113250.3","askSz":"11",'
    '"bidPx":"113250.2","bidSz":"5","open24h":"1","high24h":"1","low24h":"1","volCcy24h":"1","vol24h":"1",'
    '"ts":"1597026383085","sodUtc0":"1","sodUtc8":"1"}'
)
ETH_ROW = ROW.replace("BTC-USD", "ETH-USD").replace('"last":"113250.2"', '"last":"4136.01"').replace("113250.3", "")
BIDLESS = ROW.replace('"bidPx":"113250.2"', '"bidPx":""')
UNKNOWN = '{"code":"51001","data":[],"msg":"Instrument ID, Instrument ID code, or Spread ID doesn\'t exist."}'


def rows(*texts: str) -> str:
    """Return a successful answer."""
    return '{"code":"0","msg":"","data":[' + ",".join(texts) + "]}"


@pytest.fixture(name="source")
async def _source(session: aiohttp.ClientSession, exchange: LiteralExchange) -> Source:
    """Give an OKX that has its listing."""
    exchange.say(LIST, INSTRUMENTS)
    return make("okx", session, exchange.url)


async def test_one_pair(source: Source, exchange: LiteralExchange) -> None:
    """Price, book and the ticker's time are read from the single form."""
    exchange.say(ONE, rows(ROW))

    assert {BTC: Tick("113250.2", 1_597_026_383_085, "113250.2", "113250.3")} == await source.fetch([BTC])
    assert [f"{LIST}?instType=SPOT", f"{ONE}?instId=BTC-USD"] == exchange.asked


async def test_several_pairs_are_one_call(source: Source, exchange: LiteralExchange) -> None:
    """The form with all instruments serves them; a side without orders is no price."""
    exchange.say(ALL, rows(ETH_ROW, ROW))
    ticks = await source.fetch([BTC, ETH, OLD])

    assert Tick("4136.01", 1_597_026_383_085, "113250.2", None) == ticks[ETH]
    assert "113250.2" == getattr(ticks[BTC], "price", None)
    assert isinstance(ticks[OLD], UnknownPair)
    assert f"{ALL}?instType=SPOT" == exchange.asked[-1]


async def test_a_book_without_bids_is_a_price_without_a_bid(source: Source, exchange: LiteralExchange) -> None:
    """An empty text is no number."""
    exchange.say(ONE, rows(BIDLESS))

    assert {BTC: Tick("113250.2", 1_597_026_383_085, None, "113250.3")} == await source.fetch([BTC])


async def test_an_instrument_that_went_away_is_unknown(source: Source, exchange: LiteralExchange) -> None:
    """HTTP 200 with code 51001 is the provider's own word that it does not have the pair."""
    exchange.say(ONE, UNKNOWN)

    assert isinstance((await source.fetch([BTC]))[BTC], UnknownPair)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((200, '{"code":"50011","msg":"Too Many Requests","data":[]}'), SourceRateLimited),
        ((429, '{"code":"50011","msg":"Too Many Requests"}'), SourceRateLimited),
        ((400, '{"code":"51000","msg":"Parameter instId error","data":[]}'), ProviderFault),
        ((200, '{"code":"50001","msg":"Service temporarily unavailable","data":[]}'), ProviderFault),
        ((200, '{"code":"0","msg":""}'), MalformedAnswer),
        ((200, '{"data":[]}'), MalformedAnswer),
    ],
)
async def test_other_codes_are_no_unknown_pairs(
    source: Source, exchange: LiteralExchange, answer: tuple[int, str], expected: type[MeshError]
) -> None:
    """A limit and a fault are told apart from an unknown pair, also inside HTTP 200."""
    exchange.say(ONE, answer)
    with pytest.raises(expected):
        await source.fetch([BTC])


@pytest.mark.parametrize("text", ["", ROW.replace("1597026383085", "soon"), ETH_ROW, "7"])
async def test_an_answer_without_the_ticker_is_malformed(source: Source, exchange: LiteralExchange, text: str) -> None:
    """Whatever else the answer says, the pair's outcome is an error."""
    exchange.say(ONE, rows(text))

    assert isinstance((await source.fetch([BTC]))[BTC], MalformedAnswer)


@pytest.mark.parametrize("text", ["{}", rows(), rows("{}"), rows("1")])
async def test_a_malformed_listing_is_an_error(source: Source, exchange: LiteralExchange, text: str) -> None:
    """No pair is called unknown because the listing could not be read."""
    exchange.say(LIST, text)
    with pytest.raises(MalformedAnswer):
        await source.fetch([BTC])
