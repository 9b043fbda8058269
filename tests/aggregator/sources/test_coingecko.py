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
from tests.aggregator.sources.making import make

PRICE, COINS, CURRENCIES = "/api/v3/simple/price", "/api/v3/coins/list", "/api/v3/simple/supported_vs_currencies"
BITCOIN, ETHER = Pair("bitcoin", "USD"), Pair("ethereum", "eur")


@pytest.fixture(name="source")
async def _source(session: aiohttp.ClientSession, exchange: LiteralExchange) -> Source:
    """Give a CoinGecko with two coins and two currencies."""
    coins = '[{"id":"bitcoin","symbol":"btc","name":"Bitcoin"},{"id":"ethereum","symbol":"eth","name":"Ethereum"}]'
    exchange.say(COINS, coins)
    exchange.say(CURRENCIES, '["usd","eur"]')
    return make("coingecko", session, exchange.url)


async def test_pairs_are_one_call_in_full_precision(source: Source, exchange: LiteralExchange) -> None:
    """Ids and currencies are asked for in lower case, and each price comes with its coin's time."""
    exchange.say(
        PRICE,
        '{"bitcoin":{"usd":76975.1234567891234,"eur":1,"last_updated_at":1779092258},'
        '"ethereum":{"usd":2,"eur":1e-07,"last_updated_at":1779092250}}',
    )
    ticks = await source.fetch([BITCOIN, ETHER])

    assert Tick(Decimal("76975.1234567891234"), 1_779_092_258_000) == ticks[BITCOIN]
    assert Tick(Decimal("1E-7"), 1_779_092_250_000) == ticks[ETHER]
    assert [
        f"{PRICE}?ids=bitcoin,ethereum&vs_currencies=eur,usd&include_last_updated_at=true&precision=full"
    ] == exchange.asked


async def test_the_coin_called_status_is_no_error(source: Source, exchange: LiteralExchange) -> None:
    """One coin has the id under which errors come."""
    exchange.say(PRICE, '{"status":{"usd":0.02,"last_updated_at":1779092258}}')
    pair = Pair("status", "usd")

    assert {pair: Tick(Decimal("0.02"), 1_779_092_258_000)} == await source.fetch([pair])


async def test_an_absent_pair_is_unknown_only_if_the_lists_say_so(source: Source, exchange: LiteralExchange) -> None:
    """A missing id, a missing currency and an incomplete answer look alike; the lists tell them apart, loaded once."""
    exchange.say(PRICE, '{"bitcoin":{"last_updated_at":1779092258}}')
    pairs = [BITCOIN, Pair("bitcoin", "usdt"), Pair("batcat2", "usd")]
    kinds = [type((await source.fetch(pairs))[pair]) for pair in pairs]
    await source.fetch(pairs)

    assert [MalformedAnswer, UnknownPair, UnknownPair] == kinds
    assert 1 == sum(COINS in path for path in exchange.asked)


async def test_prices_are_kept_when_the_lists_cannot_be_read(source: Source, exchange: LiteralExchange) -> None:
    """The failure concerns only the pairs that are missing."""
    exchange.say(PRICE, '{"bitcoin":{"usd":1,"last_updated_at":1}}')
    exchange.say(COINS, (429, "{}"))
    ticks = await source.fetch([BITCOIN, ETHER])

    assert Tick(1, 1_000) == ticks[BITCOIN]
    assert isinstance(ticks[ETHER], SourceRateLimited)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((200, '{"status":{"error_code":429,"error_message":"You\'ve exceeded the Rate Limit"}}'), SourceRateLimited),
        ((429, '{"status":{"error_code":429}}'), SourceRateLimited),
        ((401, '{"status":{"error_code":10002,"error_message":"API Key Missing"}}'), AccessRefused),
        ((400, '{"error":{"status":{"error_code":10010,"error_message":"use the pro host"}}}'), AccessRefused),
        ((400, '{"status":{"error_code":10011,"error_message":"use the demo host"}}'), AccessRefused),
        ((403, "error code: 1020"), AccessRefused),
        ((404, '{"error":"coin not found"}'), ProviderFault),
        ((200, '{"error":"something"}'), SourceRateLimited),
        ((200, "[]"), MalformedAnswer),
        ((200, "null"), MalformedAnswer),
    ],
)
async def test_errors_in_their_three_shapes_are_told_apart(
    source: Source, exchange: LiteralExchange, answer: tuple[int, str], expected: type[MeshError]
) -> None:
    """A limit, a refused key and a fault are no unknown pair, with whatever status they come."""
    exchange.say(PRICE, answer)
    with pytest.raises(expected):
        await source.fetch([BITCOIN])


async def test_a_price_without_a_time_is_malformed(source: Source, exchange: LiteralExchange) -> None:
    """The time was asked for, so its absence is an error."""
    exchange.say(PRICE, '{"bitcoin":{"usd":1,"last_updated_at":null}}')

    assert isinstance((await source.fetch([BITCOIN]))[BITCOIN], MalformedAnswer)


@pytest.mark.parametrize("coins", ["{}", "[]", '[{"name":"x"}]', "5", '["bitcoin"]'])
async def test_a_malformed_list_makes_no_unknown_pair(source: Source, exchange: LiteralExchange, coins: str) -> None:
    """No pair is called unknown because the list could not be read."""
    exchange.say(PRICE, "{}")
    exchange.say(COINS, coins)

    assert isinstance((await source.fetch([BITCOIN]))[BITCOIN], MalformedAnswer)
