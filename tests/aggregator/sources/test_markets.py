from collections.abc import Collection
from typing import Any

import pytest
from structlog.testing import capture_logs

from meshkit.clock import ManualClock
from services.aggregator.prices.errors import MarketHalted, ProviderFault, UnknownPair
from services.aggregator.prices.pair import Pair
from services.aggregator.sources.markets import STATUS_S, Listed, Market, Markets, Statuses, pair_in, read_markets
from services.aggregator.sources.shapes import Record, text
from services.aggregator.sources.source import RateLimiter, TickOutcome
from tests.aggregator.fakes import BTC, ETH

OLD = Pair("OLD", "USD")


class Provider:
    """A provider whose markets a test changes, and whose calls it counts."""

    def __init__(self) -> None:
        self.halts = {BTC: "", ETH: "", OLD: "BREAK"}
        self.fails = False
        self.age_ms = 0
        self.loads = 0
        self.looks: list[set[str]] = []

    async def load(self, _limiter: RateLimiter) -> Listed:
        """List everything."""
        self.loads += 1
        if self.fails:
            raise ProviderFault("kraken", "down")
        markets = {pair: Market(f"{pair.base}{pair.quote}", halt) for pair, halt in self.halts.items()}
        return Listed(markets, {Pair("XBT", "USD"): BTC}, self.age_ms)

    async def look(self, names: Collection[str], _limiter: RateLimiter) -> Statuses:
        """Tell the statuses of these names."""
        self.looks.append(set(names))
        if self.fails:
            raise ProviderFault("kraken", "down")
        halts = {f"{pair.base}{pair.quote}": halt for pair, halt in self.halts.items()}
        return Statuses({name: halts[name] for name in names if name in halts}, self.age_ms)


@pytest.fixture(name="clock")
def _clock() -> ManualClock:
    """Give a clock that a test moves."""
    return ManualClock()


@pytest.fixture(name="provider")
def _provider() -> Provider:
    """Give a provider."""
    return Provider()


@pytest.fixture(name="markets", params=["list", "looks"])
def _markets(request: pytest.FixtureRequest, provider: Provider, clock: ManualClock) -> Markets:
    """Give its markets, whose statuses come with the list or by looks at some of them."""
    return Markets("kraken", provider.load, clock, look=provider.look if request.param == "looks" else None)


def kinds(outcomes: dict[Pair, TickOutcome]) -> dict[Pair, type]:
    """Return what became of each pair."""
    return {pair: type(outcome) for pair, outcome in outcomes.items()}


async def test_traded_pairs_have_names(markets: Markets) -> None:
    """The others are unknown, also one that is halted when it is first seen, in whatever spelling."""
    names, others = await markets.split([BTC, Pair("xbt", "usd"), OLD, Pair("NEW", "USD")])

    assert {BTC: "BTCUSD", Pair("xbt", "usd"): "BTCUSD"} == names
    assert {OLD: UnknownPair, Pair("NEW", "USD"): UnknownPair} == kinds(others)


async def test_a_halt_is_known_within_a_minute(markets: Markets, provider: Provider, clock: ManualClock) -> None:
    """A market that stops trading is refused by its status, and comes back with it."""
    await markets.split([BTC, ETH])
    provider.halts[BTC] = "cancel_only"
    clock.advance(STATUS_S + 1)
    names, others = await markets.split([BTC, ETH])

    assert {ETH: "ETHUSD"} == names
    assert "kraken: price of BTC/USD refused: nobody trades on its market, found 'cancel_only'" == str(others[BTC])
    assert "cancel_only" == markets.halt(BTC)

    provider.halts[BTC] = ""
    clock.advance(STATUS_S + 1)
    assert {BTC, ETH} == (await markets.split([BTC, ETH]))[0].keys()


async def test_the_statuses_cost_one_call_a_minute(markets: Markets, provider: Provider, clock: ManualClock) -> None:
    """However often pairs are asked for, and where looks are enough the whole list is loaded once."""
    for _ in range(3_600):
        await markets.split([BTC, ETH])
        clock.advance(1)
    calls = provider.loads + len(provider.looks)

    assert 3_600 / 60 <= calls <= 3_600 / STATUS_S + 1
    assert not provider.looks or provider.loads == 1
    assert all(look == {"BTCUSD", "ETHUSD"} for look in provider.looks)


async def test_statuses_that_cannot_be_looked_at_are_not_confirmed(
    markets: Markets, provider: Provider, clock: ManualClock
) -> None:
    """The names serve on, and when each was confirmed stays what it was."""
    await markets.split([BTC])
    provider.fails = True
    with capture_logs() as logs:
        for _ in range(20):
            clock.advance(STATUS_S)
            assert {BTC: "BTCUSD"} == (await markets.split([BTC]))[0]

    assert 0 == markets.confirmed_at(BTC)
    assert ["listing_not_loaded"] == [entry["event"] for entry in logs]


async def test_a_status_out_of_a_cache_is_as_old_as_that(
    markets: Markets, provider: Provider, clock: ManualClock
) -> None:
    """What a cache kept for ten minutes confirms nothing of now."""
    clock.advance(1_000)
    provider.age_ms = 600_000
    await markets.split([BTC])

    assert 400 == markets.confirmed_at(BTC)


async def test_what_a_stream_says_counts(markets: Markets) -> None:
    """A halt that a stream tells holds until it tells otherwise, or is gone."""
    await markets.split([BTC, ETH])
    markets.tell(BTC, "post_only")
    assert {BTC: MarketHalted} == kinds((await markets.split([BTC, ETH]))[1])
    markets.tell(BTC, "")
    assert {} == (await markets.split([BTC, ETH]))[1]

    markets.tell_all("maintenance")
    assert {BTC: MarketHalted, ETH: MarketHalted} == kinds((await markets.split([BTC, ETH]))[1])
    markets.tell_all("")
    assert {} == (await markets.split([BTC, ETH]))[1]


async def test_a_doubted_list_tells_of_those_that_it_has(provider: Provider, clock: ManualClock) -> None:
    """The pairs that are missing are kept, and a halt of the others is heard."""
    markets = Markets("kraken", provider.load, clock)
    provider.halts |= {Pair(f"A{number}", "USD"): "" for number in range(50)}
    await markets.split([BTC, ETH])
    provider.halts = {BTC: "halted"}
    clock.advance(STATUS_S + 1)
    names, others = await markets.split([BTC, ETH])

    assert {ETH: "ETHUSD"} == names
    assert {BTC: MarketHalted} == kinds(others)


async def test_observers_hear_of_each_list(markets: Markets, clock: ManualClock) -> None:
    """Whoever has names of pairs can renew them."""
    heard: list[str | None] = []
    markets.on_change(lambda: heard.append(markets.symbol(BTC)))
    assert not markets.is_known
    await markets.split([BTC])
    assert (["BTCUSD"], True, False) == (heard, markets.is_known, markets.is_due)
    clock.advance(STATUS_S + 1)
    assert markets.is_due


async def test_without_a_list_no_halt_is_known(provider: Provider, clock: ManualClock) -> None:
    """A source that needs no names goes without, and tries again a little later."""
    markets = Markets("coinbase", provider.load, clock)
    provider.fails = True
    for _ in range(5):
        assert {} == await markets.halts([BTC, OLD])
    assert 1 == provider.loads
    provider.fails = False
    clock.advance(STATUS_S)

    assert {OLD: MarketHalted} == kinds(await markets.halts([BTC, OLD]))


def market_of(row: Record) -> tuple[Pair, Market]:
    """Read a row."""
    return pair_in(row, ("base", "quote")), Market(text(row, "name"), text(row, "halt") if "halt" in row else "")


def test_bad_rows_spoil_only_themselves() -> None:
    """A list is read row by row, whatever stands between the good ones."""
    good = {"name": "BTCUSD", "base": "BTC", "quote": "USD"}
    rows: list[Any] = [None, good, 5, [], {}, {"name": "X", "base": ["X"], "quote": "USD"}, dict(good)]

    assert {BTC: Market("BTCUSD")} == read_markets(rows, market_of)


def test_contradictory_rows_are_none() -> None:
    """Neither a name of two pairs nor a name with two statuses is believed; of two names, the traded one is."""
    rows = [
        {"name": "A", "base": "BTC", "quote": "USD"},
        {"name": "A", "base": "ETH", "quote": "USD"},
        {"name": "B", "base": "B", "quote": "USD"},
        {"name": "B", "base": "B", "quote": "USD", "halt": "BREAK"},
        {"name": "C1", "base": "C", "quote": "USD", "halt": "delisted"},
        {"name": "C2", "base": "C", "quote": "USD"},
        {"name": "D1", "base": "D", "quote": "USD"},
        {"name": "D2", "base": "D", "quote": "USD"},
    ]

    assert {Pair("C", "USD"): Market("C2")} == read_markets(rows, market_of)
