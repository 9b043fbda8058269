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
from tests.aggregator.sources.making import make

TICKERS, LIST = "/v5/market/tickers", "/v5/market/instruments-info"
BTC, ETH = Pair("BTC", "USDT"), Pair("ETH", "USDT")
ROW = (
    '{"symbol":"BTCUSDT","bid1Price":"20517.96","bid1Size":"2","ask1Price":"20527.77","ask1Size":"1.86",'
    '"lastPrice":"20533.13","prevPrice24h":"1","price24hPcnt":"0.0068","usdIndexPrice":"20784.12"}'
)
ETH_ROW = '{"symbol":"ETHUSDT","bid1Price":"","ask1Price":"1500.1","lastPrice":"1500"}'


def answer_of(*rows: str) -> str:
    """Return a successful answer."""
    listed = ",".join(rows)
    return (
        f'{{"retCode":0,"retMsg":"OK","result":{{"category":"spot","list":[{listed}]}},"retExtInfo":{{}},'
        '"time":1673859087947}'
    )


def error_of(code: int, text: str) -> str:
    """Return an answer with an error."""
    return f'{{"retCode":{code},"retMsg":"{text}","result":{{}},"retExtInfo":{{}},"time":1673859087947}}'


@pytest.fixture(name="source")
async def _source(session: aiohttp.ClientSession, exchange: LiteralExchange) -> Source:
    """Give a Bybit that has its listing."""
    exchange.say(
        LIST,
        answer_of(
            '{"symbol":"BTCUSDT","baseCoin":"BTC","quoteCoin":"USDT","status":"Trading"}',
            '{"symbol":"ETHUSDT","baseCoin":"ETH","quoteCoin":"USDT","status":"Trading"}',
            '{"symbol":"NOPEUSDT","baseCoin":"NOPE","quoteCoin":"USDT","status":"PreLaunch"}',
        ),
    )
    return make("bybit", session, exchange.url)


async def test_one_pair(source: Source, exchange: LiteralExchange) -> None:
    """Price, book and the answer's time are read, and the category is always given."""
    exchange.say(TICKERS, answer_of(ROW))

    assert {BTC: Tick("20533.13", 1_673_859_087_947, "20517.96", "20527.77")} == await source.fetch([BTC])
    assert [f"{LIST}?category=spot", f"{TICKERS}?category=spot&symbol=BTCUSDT"] == exchange.asked


async def test_several_pairs_are_one_call(source: Source, exchange: LiteralExchange) -> None:
    """The form with all symbols serves them; a pair that is not traded yet is not asked for."""
    exchange.say(TICKERS, answer_of(ETH_ROW, ROW))
    nope = Pair("NOPE", "USDT")
    ticks = await source.fetch([BTC, nope, ETH])

    assert Tick("1500", 1_673_859_087_947, None, "1500.1") == ticks[ETH]
    assert "20533.13" == getattr(ticks[BTC], "price", None)
    assert isinstance(ticks[nope], UnknownPair)
    assert f"{TICKERS}?category=spot" == exchange.asked[-1]


async def test_only_the_text_tells_an_unknown_symbol(source: Source, exchange: LiteralExchange) -> None:
    """Code 10001 is any parameter error."""
    exchange.say(TICKERS, error_of(10001, "Not supported symbols"), error_of(10001, "Category is invalid"))

    assert isinstance((await source.fetch([BTC]))[BTC], UnknownPair)
    with pytest.raises(ProviderFault):
        await source.fetch([BTC])


@pytest.mark.parametrize(
    ("answer", "wait_ms"),
    [
        ((403, "403, access too frequent. Please try your request later.", {}), 600_000),
        ((403, '{"retMsg":"Access too frequent"}', {"Retry-After": "3"}), 3_000),
        ((200, error_of(10006, "Too many visits!"), {}), 5_000),
        ((200, error_of(10006, "Too many visits!"), {"X-Bapi-Limit-Reset-Timestamp": "1673859087947"}), 259_200_000),
        ((429, "", {}), 5_000),
    ],
)
async def test_limits_tell_their_wait(
    source: Source, exchange: LiteralExchange, answer: tuple[int, str, dict[str, str]], wait_ms: int
) -> None:
    """The address's limit comes as HTTP 403 and lasts ten minutes; the end of the other comes as a time."""
    exchange.say(TICKERS, answer)
    with pytest.raises(SourceRateLimited) as caught:
        await source.fetch([BTC])

    assert wait_ms == caught.value.retry_after_ms


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((403, "<html>The Amazon CloudFront distribution is configured to block your country</html>"), AccessRefused),
        ((403, ""), AccessRefused),
        ((200, error_of(10024, "compliance rules")), AccessRefused),
        ((200, error_of(10016, "Server error")), ProviderFault),
        ((404, "{}"), ProviderFault),
        ((200, "{}"), MalformedAnswer),
        ((200, '{"retCode":0,"result":{"list":[]}}'), MalformedAnswer),
        ((200, '{"retCode":0,"result":[],"time":1}'), MalformedAnswer),
    ],
)
async def test_refusals_and_faults_are_no_unknown_pairs(
    source: Source, exchange: LiteralExchange, answer: tuple[int, str], expected: type[MeshError]
) -> None:
    """A forbidden country, a fault and an answer without its envelope are told apart."""
    exchange.say(TICKERS, answer)
    with pytest.raises(expected):
        await source.fetch([BTC])


@pytest.mark.parametrize("row", ["", ETH_ROW, '{"symbol":"BTCUSDT"}', "7"])
async def test_an_answer_without_the_ticker_is_malformed(source: Source, exchange: LiteralExchange, row: str) -> None:
    """Whatever else the answer says, the pair's outcome is an error."""
    exchange.say(TICKERS, answer_of(row))

    assert isinstance((await source.fetch([BTC]))[BTC], MalformedAnswer)


@pytest.mark.parametrize("text", ["{}", answer_of(), answer_of("{}"), answer_of("1")])
async def test_a_malformed_listing_is_an_error(source: Source, exchange: LiteralExchange, text: str) -> None:
    """No pair is called unknown because the listing could not be read."""
    exchange.say(LIST, text)
    with pytest.raises(MalformedAnswer):
        await source.fetch([BTC])
