"""Every source against the simulator of its provider: right prices with their times, and each failure by its name."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from meshkit.clock import SystemClock
from meshkit.errors import MeshError
from services.aggregator.prices.errors import (
    AccessRefused,
    MalformedAnswer,
    ProviderFault,
    SourceRateLimited,
    SourceTimeout,
    UnknownPair,
)
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.sources.catalog import DECLARATIONS, MAKERS
from services.aggregator.sources.source import ExchangeTime, Source, TickOutcome
from tests.aggregator.sources.making import KEY, make

# The key that the simulator refuses.
REFUSED_KEY = "refused"
# Pairs that each provider has, as it spells them, with the pair of the simulator's own prices.
ASKED: dict[str, dict[Pair, str]] = {
    "alphavantage": {Pair("BTC", "USD"): "BTC/USD"},
    "binance": {Pair("BTC", "USDT"): "BTC/USDT", Pair("ETH", "USDT"): "ETH/USDT"},
    "bybit": {Pair("BTC", "USDT"): "BTC/USDT", Pair("METH", "ETH"): "METH/ETH"},
    "coinbase": {Pair("BTC", "USD"): "BTC/USD"},
    "coingecko": {Pair("bitcoin", "USD"): "BTC/USD", Pair("ethereum", "eur"): "ETH/EUR"},
    "cryptocompare": {Pair("BTC", "USD"): "BTC/USD", Pair("ETH", "EUR"): "ETH/EUR"},
    "exchangeratehost": {Pair("EUR", "USD"): "EUR/USD", Pair("EUR", "GBP"): "EUR/GBP", Pair("JPY", "USD"): "JPY/USD"},
    "finnhub": {Pair("BTC", "USDT"): "BTC/USDT"},
    "frankfurter": {Pair("EUR", "USD"): "EUR/USD", Pair("JPY", "USD"): "JPY/USD"},
    "kraken": {Pair("BTC", "USD"): "BTC/USD", Pair("ETH", "USD"): "ETH/USD"},
    "kucoin": {Pair("BTC", "USDT"): "BTC/USDT", Pair("ENJ", "ETH"): "ENJ/ETH"},
    "okx": {Pair("BTC", "USD"): "BTC/USD", Pair("ETH", "USDT"): "ETH/USDT"},
    "yahoofinance": {Pair("AAPL", "USD"): "AAPL/USD"},
}
# Sources whose further pairs are a call each.
SINGLES = {
    "finnhub": {Pair("EUR", "USD"): "EUR/USD", Pair("AAPL", "USD"): "AAPL/USD"},
    "yahoofinance": {
        Pair("VOD.L", "GBP"): "VOD/GBP",
        Pair("EUR", "USD"): "EUR/USD",
        Pair("BTC", "USD"): "BTC/USD",
    },
    "alphavantage": {Pair("EUR", "USD"): "EUR/USD"},
}
LIMITS = {
    "alphavantage": ("daily", "burst", "note"),
    "bybit": ("address", "visits", "system"),
    "cryptocompare": ("legacy", "data"),
    "exchangeratehost": ("quota", "rate"),
    "finnhub": ("calls", "quiet"),
    "kucoin": ("weight", "overload", "endpoint"),
}
# The venues' own deviations, the movement between two readings, and for the daily source that of some days.
TOLERANCE = Decimal("0.01")
DAILY_TOLERANCE = Decimal("0.03")


@dataclass
class Provider:
    """A source before its simulator, and the simulator's controls."""

    name: str
    source: Source
    session: aiohttp.ClientSession
    market: str

    @property
    def pairs(self) -> dict[Pair, str]:
        """Return what the source is asked for."""
        return ASKED[self.name]

    async def one(self) -> TickOutcome:
        """Return the outcome of the first pair; raise what concerns all pairs."""
        pair = next(iter(self.pairs))
        return (await self.source.fetch([pair]))[pair]

    async def breaks(self, **fault: Any) -> None:
        """Break the provider, or mend it without arguments."""
        async with self.session.post(f"{self.market}/control/{self.name}", json=fault) as response:
            assert 200 == response.status, await response.text()

    async def calls(self) -> int:
        """Return how many requests reached the provider."""
        async with self.session.get(f"{self.market}/control/{self.name}") as response:
            return int((await response.json())["requests"])

    async def reference(self, pair: str) -> Decimal:
        """Return the simulator's own price."""
        async with self.session.get(f"{self.market}/reference", params={"pairs": pair}) as response:
            return Decimal((await response.json())["prices"][pair])

    async def is_right(self, pair: str, outcome: TickOutcome) -> bool:
        """Tell whether an outcome is a price near the simulator's own."""
        if not isinstance(outcome, Tick):
            return False
        expected = await self.reference(pair)
        tolerance = DAILY_TOLERANCE if self.name == "frankfurter" else TOLERANCE
        return abs(Decimal(str(outcome.price)) - expected) < tolerance * expected


@pytest.fixture(name="provider", params=sorted(MAKERS))
async def _provider(request: pytest.FixtureRequest, session: aiohttp.ClientSession, market: str) -> Provider:
    name = request.param
    source = make(name, session, f"{market}/{name}", clock=SystemClock(), timeout_ms=3_000)
    return Provider(name, source, session, market)


async def test_prices_are_right_and_have_their_time(provider: Provider) -> None:
    """One pair, all of them at once and each alone are near the simulator's prices, with times as declared."""
    ticks = {**await provider.source.fetch(list(provider.pairs))}
    for pair in {**provider.pairs, **SINGLES.get(provider.name, {})}:
        ticks[pair] = (await provider.source.fetch([pair]))[pair]
        assert await provider.is_right({**provider.pairs, **SINGLES.get(provider.name, {})}[pair], ticks[pair])
    declared = DECLARATIONS[provider.name]
    now_ms = SystemClock().time_ms()
    for tick in ticks.values():
        assert isinstance(tick, Tick)
        if declared.exchange_time is ExchangeTime.NONE:
            assert tick.exchange_time_ms is None
        else:
            assert tick.exchange_time_ms is not None
            assert now_ms - declared.max_age_ms < tick.exchange_time_ms < now_ms + 5_000


async def test_a_batch_is_few_calls(provider: Provider) -> None:
    """After a listing, all pairs of a source that has batches are one call, one for each base at one of them."""
    await provider.one()
    before = await provider.calls()
    await provider.source.fetch(list(provider.pairs))

    assert {"exchangeratehost": 2}.get(provider.name, 1) == await provider.calls() - before


async def test_an_unlisted_pair_is_unknown_and_spoils_nothing(provider: Provider) -> None:
    """The provider's own words for it are understood, alone and among others."""
    nope = Pair("NOPE", "ZZZ")
    assert isinstance((await provider.source.fetch([nope]))[nope], UnknownPair)
    if DECLARATIONS[provider.name].max_batch > 1:
        ticks = await provider.source.fetch([*provider.pairs, nope])
        assert isinstance(ticks[nope], UnknownPair)
        assert [Tick] * len(provider.pairs) == [type(ticks[pair]) for pair in provider.pairs]


async def test_its_limit_is_a_limit_with_a_wait(provider: Provider) -> None:
    """Each form of limit that it has is told as one, cold and warm, and it is over when the provider says no more."""
    for limit in (True, *LIMITS.get(provider.name, ())):
        await provider.breaks(limit=limit)
        with pytest.raises(SourceRateLimited) as caught:
            await provider.one()
        assert caught.value.retry_after_ms > 0
        await provider.breaks()
        assert await provider.is_right(next(iter(provider.pairs.values())), await provider.one())


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"status": 500}, ProviderFault),
        ({"status": 503, "body": "<html>maintenance</html>"}, ProviderFault),
        ({"status": 302}, ProviderFault),
        ({"status": 403, "body": {"message": "blocked"}}, AccessRefused),
        ({"status": 451, "body": ""}, AccessRefused),
        ({"status": 404, "body": "<html>not found</html>"}, MalformedAnswer),
        ({"status": 404, "body": {"message": "no route"}}, ProviderFault),
        ({"status": 200, "body": "<html>"}, MalformedAnswer),
        ({"status": 200, "body": {}}, MalformedAnswer),
        ({"status": 200, "body": []}, MalformedAnswer),
        ({"status": 200, "body": None}, MalformedAnswer),
        ({"status": 200, "body": [1, "x", None]}, MalformedAnswer),
        ({"malformed": True}, MalformedAnswer),
    ],
    ids=str,
)
async def test_a_broken_provider_gives_errors_and_no_prices(
    provider: Provider, fault: dict[str, Any], expected: type[MeshError]
) -> None:
    """Each way to break is told as what it is, cold and warm, and never as an unknown pair."""
    for _ in ("cold", "warm"):
        await provider.breaks(**fault)
        try:
            outcome: TickOutcome = await provider.one()
        except MeshError as error:
            outcome = error
        assert expected is type(outcome), outcome
        await provider.breaks()
        assert isinstance(await provider.one(), Tick)


# How an answer says that it prices something else, of the providers whose answers name it in a field.
OTHERS: dict[str, dict[str, object]] = {
    "alphavantage": {"1. From_Currency Code": "ETH"},
    "binance": {"symbol": "ETHBTC"},
    "bybit": {"symbol": "ETHBTC"},
    "cryptocompare": {"INSTRUMENT": "ETH-USD"},
    "exchangeratehost": {"source": "GBP"},
    "frankfurter": {"base": "USD"},
    "okx": {"instId": "ETH-BTC"},
    "yahoofinance": {"symbol": "MSFT"},
}


async def test_odd_answers_make_no_price(provider: Provider) -> None:
    """Keys told twice, lists for numbers, no rows, and prices of something else: an error, never an unknown pair."""
    assert isinstance(await provider.one(), Tick)
    faults: list[dict[str, Any]] = [{"doubled": True}, {"odd_types": True}, {"keep_rows": 0}]
    if provider.name in OTHERS:
        faults.append({"fields": OTHERS[provider.name]})
    for fault in faults:
        await provider.breaks(**fault)
        try:
            outcome: TickOutcome = await provider.one()
        except MeshError as error:
            outcome = error
        await provider.breaks()
        # Lists that some answers do not have cannot be cut.
        if fault != {"keep_rows": 0}:
            assert not isinstance(outcome, Tick), fault
        assert not isinstance(outcome, UnknownPair), fault
    assert await provider.is_right(next(iter(provider.pairs.values())), await provider.one())


async def test_an_empty_list_at_the_start_makes_no_pair_unknown(provider: Provider) -> None:
    """Whoever lists nothing has said nothing of a pair, and prices come with the next list."""
    await provider.breaks(keep_rows=0)
    try:
        outcome: TickOutcome = await provider.one()
    except MeshError as error:
        outcome = error
    assert not isinstance(outcome, UnknownPair)


async def test_a_redirect_is_named(provider: Provider) -> None:
    """It is not followed, and the error says where it leads, without its query."""
    await provider.breaks(status=301, location="https://elsewhere.example/new?key=secret")
    with pytest.raises(ProviderFault, match=r"elsewhere\.example/new") as caught:
        await provider.one()

    assert "secret" not in str(caught.value)


async def test_silence_is_a_timeout(provider: Provider) -> None:
    """A provider that does not answer in time is told as that."""
    slow = make(provider.name, provider.session, f"{provider.market}/{provider.name}", timeout_ms=100)
    await provider.breaks(latency_ms=400)
    with pytest.raises(SourceTimeout):
        await slow.fetch(list(provider.pairs)[:1])


@pytest.mark.parametrize("number", ["zero", "negative", "nan", "huge", "exponent"])
async def test_wrong_numbers_stay_what_they_are(provider: Provider, number: str) -> None:
    """No wrong number becomes a plausible one on its way; one with an exponent is as good as any."""
    await provider.breaks(number=number)
    try:
        outcome: TickOutcome = await provider.one()
    except MeshError as error:
        outcome = error
    if number == "exponent":
        assert await provider.is_right(next(iter(provider.pairs.values())), outcome)
    elif isinstance(outcome, Tick):
        price = Decimal(str(outcome.price))
        assert not price.is_finite() or not Decimal(0) < price < Decimal(10**15)


async def test_a_stale_time_is_seen(provider: Provider) -> None:
    """A market that stands still shows in the exchange time, where there is one."""
    declared = DECLARATIONS[provider.name]
    await provider.breaks(shift_ms=-2 * declared.max_age_ms)
    outcome = await provider.one()
    if isinstance(outcome, Tick):
        stale_from = SystemClock().time_ms() - declared.max_age_ms
        assert (outcome.exchange_time_ms is None) == (declared.exchange_time is ExchangeTime.NONE)
        assert outcome.exchange_time_ms is None or outcome.exchange_time_ms < stale_from


@pytest.mark.parametrize("name", sorted(name for name, declared in DECLARATIONS.items() if declared.key is not None))
async def test_keys(session: aiohttp.ClientSession, market: str, name: str) -> None:
    """A good key passes; a refused one and, where one is required, none at all are refusals."""
    place = DECLARATIONS[name].key
    assert place is not None
    pairs = list(ASKED[name])
    for key in (REFUSED_KEY, None):
        source = make(name, session, f"{market}/{name}", clock=SystemClock(), key=key)
        if key is None and not place.required:
            assert isinstance((await source.fetch(pairs))[pairs[0]], Tick)
        else:
            with pytest.raises(AccessRefused):
                await source.fetch(pairs)
    source = make(name, session, f"{market}/{name}", clock=SystemClock(), key=KEY)
    assert isinstance((await source.fetch(pairs))[pairs[0]], Tick)
