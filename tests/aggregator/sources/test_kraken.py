import aiohttp
import pytest

from meshkit.clock import ManualClock
from meshkit.errors import MeshError
from services.aggregator.prices.errors import MalformedAnswer, ProviderFault, SourceRateLimited, UnknownPair
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.sources.client import SourceClient
from services.aggregator.sources.kraken import KrakenSource
from tests.aggregator.fakes import BTC, ETH, LiteralExchange
from tests.aggregator.sources.making import told

DOGE = Pair("DOGE", "USD")
PAIRS = """{"error":[],"result":{
 "XXBTZUSD":{"altname":"XBTUSD","wsname":"XBT/USD","base":"XXBT","quote":"ZUSD","status":"online"},
 "XETHZUSD":{"altname":"ETHUSD","wsname":"ETH/USD","base":"XETH","quote":"ZUSD","status":"online"},
 "XETHZUSD.d":{"altname":"ETHUSD.d","wsname":"ETH/USD","base":"XETH","quote":"ZUSD","status":"online"},
 "XDGUSD":{"altname":"XDGUSD","wsname":"XDG/USD","base":"XXDG","quote":"ZUSD","status":"online"},
 "OLDUSD":{"altname":"OLDUSD","wsname":"OLD/USD","base":"OLD","quote":"ZUSD","status":"cancel_only"},
 "NONAME":{"altname":"NONAME","base":"A","quote":"B","status":"online"}}}"""
ROW = '{"a":["30300.1","1","1.000"],"b":["30300.0","1","1.000"],"c":["30303.2","0.00067643"],"o":"30502.8"}'
TICK = Tick("30303.2", None, "30300.0", "30300.1")
UNKNOWN = '{"error":["EQuery:Unknown asset pair"]}'


def result(*names: str) -> str:
    """Return Kraken's answer with these markets."""
    return '{"error":[],"result":{' + ",".join(f'"{name}":{ROW}' for name in names) + "}}"


@pytest.fixture(name="source")
async def _source(session: aiohttp.ClientSession, exchange: LiteralExchange) -> KrakenSource:
    """Give a Kraken that has its listing."""
    clock = ManualClock()
    exchange.say("/0/public/AssetPairs", PAIRS)
    return KrakenSource(SourceClient(session, KrakenSource.DECLARATION, clock, base_url=exchange.url), clock)


async def test_legacy_names_are_mapped_in_a_batch(source: KrakenSource, exchange: LiteralExchange) -> None:
    """BTC, ETH and DOGE, whose internal names differ from their own, all come with one call."""
    exchange.say("/0/public/Ticker", result("XETHZUSD", "XDGUSD", "XXBTZUSD"))

    assert dict.fromkeys([BTC, DOGE, ETH], TICK) == await source.fetch([BTC, DOGE, ETH])
    assert "/0/public/Ticker?pair=XXBTZUSD,XDGUSD,XETHZUSD" == exchange.asked[-1]


async def test_pairs_outside_of_the_listing_are_unknown_without_a_call(
    source: KrakenSource, exchange: LiteralExchange
) -> None:
    """Unlisted and closed markets are not asked for, since one of them would fail the whole list."""
    outcomes = await source.fetch([Pair("OLD", "USD"), Pair("BTC", "XYZ")])

    assert [UnknownPair, UnknownPair] == [type(outcome) for outcome in outcomes.values()]
    assert ["/0/public/AssetPairs"] == exchange.asked


async def test_one_unknown_pair_does_not_spoil_the_batch(source: KrakenSource, exchange: LiteralExchange) -> None:
    """A list refused for one pair is asked in halves."""
    exchange.say("/0/public/Ticker", UNKNOWN, result("XXBTZUSD"), UNKNOWN)
    outcomes = await source.fetch([BTC, ETH])

    assert TICK == outcomes[BTC]
    assert isinstance(outcomes[ETH], UnknownPair)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"error":["EGeneral:Too many requests"]}', SourceRateLimited),
        ('{"error":["EAPI:Rate limit exceeded"]}', SourceRateLimited),
        ('{"error":["EService:Throttled: 1700000000"]}', SourceRateLimited),
        ('{"error":["EService:Unavailable"]}', ProviderFault),
        ('{"error":["EService:Busy"],"result":{}}', ProviderFault),
        ("{}", MalformedAnswer),
        ("[]", MalformedAnswer),
        ('{"error":[],"result":[]}', MalformedAnswer),
        ('{"error":[],"result":{"XXBTZUSD":5}}', MalformedAnswer),
    ],
)
async def test_errors_inside_http_200_are_errors(
    source: KrakenSource, exchange: LiteralExchange, text: str, expected: type[MeshError]
) -> None:
    """The status says nothing; each text is its own class of error."""
    exchange.say("/0/public/Ticker", text)

    assert expected is type(await told(source, BTC))


@pytest.mark.parametrize(
    "row", ["{}", '{"c":[],"a":[],"b":[]}', '{"c":null}', '{"c":"30303.2","b":["1"]}', '{"c":["1"],"b":"1"}']
)
async def test_a_market_without_its_fields_is_malformed(
    source: KrakenSource, exchange: LiteralExchange, row: str
) -> None:
    """The pair's outcome is an error."""
    exchange.say("/0/public/Ticker", f'{{"error":[],"result":{{"XXBTZUSD":{row}}}}}')

    assert isinstance((await source.fetch([BTC]))[BTC], MalformedAnswer)


async def test_an_empty_listing_is_an_error(source: KrakenSource, exchange: LiteralExchange) -> None:
    """A listing without pairs would make every pair unknown."""
    exchange.say("/0/public/AssetPairs", '{"error":[],"result":{}}')
    with pytest.raises(MalformedAnswer):
        await source.fetch([BTC])


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (Pair("XBT", "USD"), BTC),
        (Pair("xbt", "usd"), BTC),
        (Pair("XXBT", "ZUSD"), BTC),
        (Pair("XDG", "ZUSD"), DOGE),
        (Pair("XETH", "ZEUR"), Pair("ETH", "EUR")),
        (Pair("XRP", "USD"), Pair("XRP", "USD")),
        (Pair("ZRX", "USD"), Pair("ZRX", "USD")),
        (Pair("XTZ", "USD"), Pair("XTZ", "USD")),
    ],
)
def test_its_own_names_find_their_pair(asked: Pair, expected: Pair) -> None:
    """Kraken's names of assets are spellings of the world's, and no other name is taken for one."""
    assert expected == KrakenSource.DECLARATION.fold(asked)


@pytest.mark.parametrize("text", ["EGeneral:Temporary lockout", "EGeneral:New words"])
async def test_words_that_are_new_to_us_are_a_limit(source: KrakenSource, exchange: LiteralExchange, text: str) -> None:
    """An error is known by the absence of a result, and asks at least for no more calls."""
    exchange.say("/0/public/Ticker", f'{{"error":["{text}"]}}')

    assert isinstance(await told(source, BTC), SourceRateLimited)


async def test_a_warning_is_no_error(source: KrakenSource, exchange: LiteralExchange) -> None:
    """What begins with W comes beside a result."""
    exchange.say("/0/public/Ticker", result("XXBTZUSD").replace('"error":[]', '"error":["WGeneral:Deprecated"]'))

    assert TICK == await told(source, BTC)


@pytest.mark.parametrize(("side", "expected"), [("a", Tick("1", bid="1")), ("b", Tick("1", ask="1"))])
@pytest.mark.parametrize("empty", [None, '["0.00000","0","0.000"]', "[]", "null", '[""]'])
async def test_an_empty_side_of_the_book(
    source: KrakenSource, exchange: LiteralExchange, side: str, expected: Tick, empty: str | None
) -> None:
    """It is no price, whichever side it is and however it is told."""
    row = {"a": '["1"]', "b": '["1"]', "c": '["1"]'}
    if empty is None:
        del row[side]
    else:
        row[side] = empty
    fields = ",".join(f'"{name}":{value}' for name, value in row.items())
    exchange.say("/0/public/Ticker", f'{{"error":[],"result":{{"XXBTZUSD":{{{fields}}}}}}}')

    assert expected == await told(source, BTC)
