"""What the engine does while sources fail, limit it or hang, and how it comes back."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest

from services.aggregator.config import AggregatorConfig
from services.aggregator.fetching.circuit_breaker import CircuitState
from services.aggregator.prices.errors import (
    PriceRefused,
    ProviderFault,
    QuoteTimeout,
    SourceRateLimited,
    TooFewSources,
    UnknownPair,
)
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Quote, QuoteStatus
from tests.aggregator.bench import Bench, bench
from tests.aggregator.fakes import BTC, ETH, settings
from tests.waiting import until


async def test_a_success_ends_the_count_of_failures() -> None:
    """After a recovery, the next failure is tried again as soon as the very first one was."""
    async with bench(settings("kraken", pinned=(BTC,))) as b:
        for _ in range(2):
            b.sources[0].failure = ProviderFault("kraken", "down")
            await b.run(25)
            b.sources[0].failure = None
            await b.run(5.1)
        b.sources[0].failure = ProviderFault("kraken", "down")
        calls = len(b.sources[0].calls)
        await b.run(8)
        b.sources[0].failure = None
        tried = len(b.sources[0].calls) - calls

        assert tried >= 3


async def test_a_source_that_is_down_degrades_and_comes_back_by_itself() -> None:
    """The quote goes on with two sources and is whole again within five seconds of the recovery."""
    async with bench() as b:
        await b.ask(b.engine.answers.quote(BTC))
        b.sources[0].failure = ProviderFault("binance", "down")
        await b.run(12)
        degraded = await b.ask(b.engine.answers.quote(BTC))
        b.sources[0].failure = None
        await b.run(5.2)
        whole = await b.ask(b.engine.answers.quote(BTC))

        assert isinstance(degraded, Quote)
        assert isinstance(whole, Quote)
        assert (Decimal(102), QuoteStatus.DEGRADED) == (degraded.price, degraded.status)
        assert (Decimal(101), QuoteStatus.FRESH) == (whole.price, whole.status)


async def test_one_source_left_is_no_price() -> None:
    """Two of three sources down is an error, since one source cannot be checked."""
    async with bench() as b:
        for source in b.sources[:2]:
            source.failure = ProviderFault(source.DECLARATION.name, "down")
        with pytest.raises(TooFewSources) as caught:
            await b.ask(b.engine.answers.quote(BTC))

        assert (1, 2) == (caught.value.fresh, caught.value.required)


@pytest.mark.parametrize("price", ["0", "-5", "NaN", "undefined", "1E+40"])
async def test_a_refused_price_is_never_served(price: str) -> None:
    """A bad price counts as none: the median goes without it, and the source's own route is an error."""
    async with bench() as b:
        b.sources[2].prices[BTC] = price
        quote = await b.ask(b.engine.answers.quote(BTC))

        assert isinstance(quote, Quote)
        assert ["binance", "coinbase"] == [used.source for used in quote.sources]
        with pytest.raises(PriceRefused):
            await b.ask(b.engine.answers.source_quote("kraken", BTC))


async def test_a_slow_source_does_not_hold_up_the_others() -> None:
    """With enough prices, a source that hangs is waited for a quarter of a second, and the next caller not at all."""
    async with bench() as b:
        b.sources[0].gate.clear()
        quote = await b.ask(b.engine.answers.quote(BTC))
        await b.run(0.3)
        again = await asyncio.wait_for(b.engine.answers.quote(BTC), 0.1)

        assert isinstance(quote, Quote)
        assert [QuoteStatus.DEGRADED] * 2 == [quote.status, again.status]


async def test_a_late_fetch_fills_the_cache() -> None:
    """The caller's time ends with an error, the fetch goes on, and the next caller is served at once."""
    async with bench() as b:
        b.sources[2].gate.clear()
        with pytest.raises(QuoteTimeout):
            await b.ask(b.engine.answers.source_quote("kraken", BTC, timeout_s=0.05))
        b.sources[2].gate.set()
        await b.run(0.1)

        assert Decimal(103) == (await b.engine.answers.source_quote("kraken", BTC)).price
        assert 1 == len(b.sources[2].calls)


async def test_a_limit_silences_the_source_and_keeps_the_pair() -> None:
    """After a limit answer no call is made for as long as it asked; then the pair is refreshed without a request."""
    async with bench() as b:
        await b.ask(b.engine.answers.source_quote("kraken", BTC))
        b.sources[2].failure = SourceRateLimited("kraken", 20_000)
        await b.run(9)
        calls = len(b.sources[2].calls)
        b.sources[2].failure = None
        await b.run(18)

        assert calls == len(b.sources[2].calls)
        with pytest.raises(SourceRateLimited):
            await b.ask(b.engine.answers.source_quote("kraken", BTC))
        with pytest.raises(SourceRateLimited):
            await b.ask(b.engine.answers.source_quote("kraken", ETH))

        await b.run(3)

        assert Decimal(103) == (await b.ask(b.engine.answers.source_quote("kraken", BTC))).price


async def test_an_unknown_pair_is_remembered_as_such() -> None:
    """It is asked for once a minute at most, does not stay registered, and is found when it is listed."""
    async with bench() as b:
        for _ in range(5):
            with pytest.raises(UnknownPair):
                await b.ask(b.engine.answers.source_quote("kraken", Pair("NEW", "USD")))
            await b.run(5)

        assert 1 == len(b.sources[2].calls)
        assert [] == b.engine.status.pairs()

        b.sources[2].prices[Pair("NEW", "USD")] = "5"
        await b.run(36)

        assert Decimal(5) == (await b.ask(b.engine.answers.source_quote("kraken", Pair("NEW", "USD")))).price


async def test_closing_ends_every_wait() -> None:
    """A caller that waits for a hanging source gets an error when the engine closes."""
    made = Bench(settings("kraken"))
    made.sources[0].gate.clear()
    await made.engine.start()
    waiting = asyncio.create_task(made.engine.answers.source_quote("kraken", BTC))
    await made.run(0.1)
    await until(lambda: bool(made.sources[0].calls))
    await made.engine.close()
    unavailable: Callable[[], object] = waiting.exception

    await asyncio.wait([waiting], timeout=5)

    assert "ended without an outcome" in str(unavailable())


async def test_a_source_tells_its_limits_and_its_circuit() -> None:
    """Operators see a cool-down, an open circuit and the calls under way."""
    config = settings()
    config = replace(config, sources={**config.sources, "kraken": replace(config.sources["kraken"], rps=Fraction(7))})
    async with bench(config) as b:
        b.sources[0].failure = SourceRateLimited("binance", 20_000)
        b.sources[1].failure = ProviderFault("coinbase", "down")
        b.sources[2].gate.clear()
        task = asyncio.create_task(b.engine.answers.quote(BTC))
        await b.run(8)
        binance, coinbase, kraken = b.engine.status.sources()

        assert (b.clock.time_ms() + 12_000) == pytest.approx(binance.silent_until_ms, abs=200)
        assert CircuitState.CLOSED is binance.circuit
        assert coinbase.circuit in {CircuitState.OPEN, CircuitState.HALF_OPEN}
        assert (Fraction(7), 10, 1, 0) == (
            kraken.rps,
            kraken.max_concurrent,
            kraken.calls_running,
            kraken.calls_waiting,
        )

        task.cancel()


def only_on_request(**changes: object) -> AggregatorConfig:
    """Return a configuration whose failed pairs are not tried again for ever."""
    return replace(settings("kraken"), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(("changes", "tries"), [({"retries": False}, 1), ({"most_failures": 3}, 3)])
async def test_a_failed_pair_waits_for_a_request_where_it_is_set_to(changes: dict[str, object], tries: int) -> None:
    """After so many failures in a row there are no more calls; a request is one, and refreshes go on after it."""
    async with bench(only_on_request(**changes)) as b:
        await b.ask(b.engine.answers.source_quote("kraken", BTC))
        source = b.sources[0]
        source.failure = ProviderFault("kraken", "down")
        source.calls.clear()
        await b.run(60, 0.25)

        assert tries == len(source.calls)

        source.failure = None
        await b.run(30, 0.25)

        assert tries == len(source.calls)
        assert Decimal(103) == (await b.ask(b.engine.answers.source_quote("kraken", BTC))).price

        await b.run(30, 0.25)

        assert 1 == b.engine.status.source("kraken").fresh_pairs


@pytest.mark.parametrize("changes", [{"retries": False}, {"most_failures": 1}])
async def test_configured_feeds_are_always_tried_again(changes: dict[str, object]) -> None:
    """Whatever is set for pairs in general, a feed of the mesh comes back without a request."""
    async with bench(only_on_request(pinned=(BTC,), **changes)) as b:
        await b.run(1)
        b.sources[0].failure = ProviderFault("kraken", "down")
        await b.run(60)
        b.sources[0].failure = None
        await b.run(6)

        assert 1 == b.engine.status.source("kraken").fresh_pairs


@pytest.mark.parametrize(("longest_ms", "fewest", "most"), [(1_000, 50, 75), (5_000, 12, 25), (30_000, 7, 11)])
async def test_the_time_between_two_tries_has_a_setting(longest_ms: int, fewest: int, most: int) -> None:
    """Tries begin a quarter of a second apart and end the set time apart; who asks waits for five seconds at most."""
    async with bench(only_on_request(longest_retry_ms=longest_ms)) as b:
        await b.ask(b.engine.answers.source_quote("kraken", BTC))
        source = b.sources[0]
        source.prices[BTC] = "0"
        source.calls.clear()
        await b.run(75, 0.125)

        assert fewest <= len(source.calls) <= most

        source.prices[BTC] = "103"
        await b.run(5.1)

        assert Decimal(103) == (await b.ask(b.engine.answers.source_quote("kraken", BTC))).price
