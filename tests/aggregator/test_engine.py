"""The engine on a manual clock with scripted sources: what is served, when, and what it costs the sources."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest

from meshkit.errors import InvalidInput
from services.aggregator.circuit import CircuitState
from services.aggregator.config import PairTtl
from services.aggregator.errors import (
    PriceRefused,
    ProviderFault,
    QuoteTimeout,
    SourceDisabled,
    SourceRateLimited,
    TooFewSources,
    TooManyPairs,
    UnknownPair,
    UnknownSource,
)
from services.aggregator.pair import Pair
from services.aggregator.quote import Quote, QuoteStatus
from tests.aggregator.bench import SOL, Bench, bench
from tests.aggregator.fakes import BTC, ETH, NAMES, settings
from tests.waiting import until


async def test_a_quote_is_the_median_of_all_sources() -> None:
    """Three sources give a fresh quote of the middle price."""
    async with bench() as b:
        quote = await b.ask(b.engine.quote(BTC))

        assert isinstance(quote, Quote)
        assert (Decimal(101), QuoteStatus.FRESH) == (quote.price, quote.status)
        assert list(NAMES) == [used.source for used in quote.sources]


async def test_a_second_request_costs_nothing() -> None:
    """Within the time to live the cache answers, for the median and for each source."""
    async with bench() as b:
        await b.ask(b.engine.quote(BTC))
        await b.engine.quote(BTC)
        await b.engine.source_quote("kraken", BTC)

        assert [1, 1, 1] == b.calls()


async def test_concurrent_requests_share_one_fetch() -> None:
    """A hundred callers at once cause one call to each source."""
    async with bench() as b:
        tasks = [asyncio.create_task(b.engine.quote(BTC)) for _ in range(100)]
        await b.run(0.1)
        await asyncio.gather(*tasks)

        assert [1, 1, 1] == b.calls()


async def test_misses_of_a_short_time_share_a_batch() -> None:
    """Two pairs asked within the window are one call a source."""
    async with bench() as b:
        tasks = [asyncio.create_task(b.engine.quotes([pair])) for pair in (BTC, ETH)]
        await b.run(0.1)
        await asyncio.gather(*tasks)

        assert [[BTC, ETH]] * 3 == [source.calls[0] for source in b.sources]


@pytest.mark.parametrize("ttl_ms", [1_000, 1_500, 2_000, 10_000])
async def test_registered_pairs_never_miss_after_the_first_time(ttl_ms: int) -> None:
    """For a minute of asking every 50 ms, every answer comes from the cache, with the newest price in time."""
    config = settings(pair_ttls=(PairTtl(BTC, None, ttl_ms),))
    async with bench(config) as b:
        await b.ask(b.engine.quote(BTC))
        for tenth in range(200):
            await b.run(0.3)
            b.sources[1].prices[BTC] = str(101 + tenth / Decimal(1000))
            task = asyncio.create_task(b.engine.quote(BTC))
            await asyncio.sleep(0)
            await asyncio.sleep(0)

            assert task.done()
            assert b.clock.time_ms() - task.result().received_ms < ttl_ms

        assert 60_000 / ttl_ms <= len(b.sources[0].calls) <= 2.2 * 60_000 / ttl_ms + 2


async def test_nothing_stale_is_served() -> None:
    """With every source down, the price is there until its time to live ends, and an error from then on."""
    async with bench() as b:
        await b.ask(b.engine.quote(BTC))
        for source in b.sources:
            source.failure = ProviderFault(source.DECLARATION.name, "down")
        await b.run(9.8)

        assert isinstance(await b.ask(b.engine.quote(BTC)), Quote)

        await b.run(0.3)
        with pytest.raises(TooFewSources):
            await b.ask(b.engine.quote(BTC))
        with pytest.raises(ProviderFault):
            await b.ask(b.engine.source_quote("kraken", BTC))


async def test_expiry_does_not_depend_on_the_refresh_loop() -> None:
    """Even if nothing withdrew it, an expired price is fetched anew and not served."""
    made = Bench(settings())
    await made.ask(made.engine.quote(BTC))
    made.sources[1].prices[BTC] = "102"
    made.clock.advance(10)

    assert Decimal(102) == (await made.ask(made.engine.quote(BTC))).price

    await made.engine.close()


async def test_a_price_that_expires_while_another_is_awaited_is_not_used() -> None:
    """The first source's price is a second old when the second source answers after two."""
    made = Bench(settings("binance", "kraken", pair_ttls=(PairTtl(BTC, None, 1_000),)))
    made.sources[1].gate.clear()
    asked = asyncio.create_task(made.engine.quote(BTC))
    await made.run(2)
    made.sources[1].gate.set()
    with pytest.raises(TooFewSources) as caught:
        await asked

    assert 1 == caught.value.fresh

    await made.engine.close()


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
        await b.ask(b.engine.quote(BTC))
        b.sources[0].failure = ProviderFault("binance", "down")
        await b.run(12)
        degraded = await b.ask(b.engine.quote(BTC))
        b.sources[0].failure = None
        await b.run(5.2)
        whole = await b.ask(b.engine.quote(BTC))

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
            await b.ask(b.engine.quote(BTC))

        assert (1, 2) == (caught.value.fresh, caught.value.required)


async def test_one_source_is_enough_where_no_other_is_mapped() -> None:
    """A feed with a single source is served by it."""
    async with bench(settings("kraken")) as b:
        quote = await b.ask(b.engine.quote(BTC))

        assert isinstance(quote, Quote)
        assert (Decimal(103), QuoteStatus.FRESH) == (quote.price, quote.status)


@pytest.mark.parametrize("price", ["0", "-5", "NaN", "undefined", "1E+40"])
async def test_a_refused_price_is_never_served(price: str) -> None:
    """A bad price counts as none: the median goes without it, and the source's own route is an error."""
    async with bench() as b:
        b.sources[2].prices[BTC] = price
        quote = await b.ask(b.engine.quote(BTC))

        assert isinstance(quote, Quote)
        assert ["binance", "coinbase"] == [used.source for used in quote.sources]
        with pytest.raises(PriceRefused):
            await b.ask(b.engine.source_quote("kraken", BTC))


async def test_a_slow_source_does_not_hold_up_the_others() -> None:
    """With enough prices, a source that hangs is waited for a quarter of a second, and the next caller not at all."""
    async with bench() as b:
        b.sources[0].gate.clear()
        quote = await b.ask(b.engine.quote(BTC))
        await b.run(0.3)
        again = await asyncio.wait_for(b.engine.quote(BTC), 0.1)

        assert isinstance(quote, Quote)
        assert [QuoteStatus.DEGRADED] * 2 == [quote.status, again.status]


async def test_a_late_fetch_fills_the_cache() -> None:
    """The caller's time ends with an error, the fetch goes on, and the next caller is served at once."""
    async with bench() as b:
        b.sources[2].gate.clear()
        with pytest.raises(QuoteTimeout):
            await b.ask(b.engine.source_quote("kraken", BTC, timeout_s=0.05))
        b.sources[2].gate.set()
        await b.run(0.1)

        assert Decimal(103) == (await b.engine.source_quote("kraken", BTC)).price
        assert 1 == len(b.sources[2].calls)


async def test_a_limit_silences_the_source_and_keeps_the_pair() -> None:
    """After a limit answer no call is made for as long as it asked; then the pair is refreshed without a request."""
    async with bench() as b:
        await b.ask(b.engine.source_quote("kraken", BTC))
        b.sources[2].failure = SourceRateLimited("kraken", 20_000)
        await b.run(9)
        calls = len(b.sources[2].calls)
        b.sources[2].failure = None
        await b.run(18)

        assert calls == len(b.sources[2].calls)
        with pytest.raises(SourceRateLimited):
            await b.ask(b.engine.source_quote("kraken", BTC))
        with pytest.raises(SourceRateLimited):
            await b.ask(b.engine.source_quote("kraken", ETH))

        await b.run(3)

        assert Decimal(103) == (await b.ask(b.engine.source_quote("kraken", BTC))).price


async def test_an_unknown_pair_is_remembered_as_such() -> None:
    """It is asked for once a minute at most, does not stay registered, and is found when it is listed."""
    async with bench() as b:
        for _ in range(5):
            with pytest.raises(UnknownPair):
                await b.ask(b.engine.source_quote("kraken", Pair("NEW", "USD")))
            await b.run(5)

        assert 1 == len(b.sources[2].calls)
        assert [] == b.engine.pairs()

        b.sources[2].prices[Pair("NEW", "USD")] = "5"
        await b.run(36)

        assert Decimal(5) == (await b.ask(b.engine.source_quote("kraken", Pair("NEW", "USD")))).price


async def test_a_feed_that_no_source_has_is_unknown() -> None:
    """A pair outside of the feeds, and one all sources deny, are both unknown pairs."""
    async with bench() as b:
        for source in b.sources:
            del source.prices[ETH]
        for pair in (SOL, ETH):
            with pytest.raises(UnknownPair):
                await b.ask(b.engine.quote(pair))


async def test_case_is_folded_where_the_source_folds_it() -> None:
    """btc/usd and BTC/USD are one registration and one price."""
    async with bench() as b:
        await b.ask(b.engine.source_quote("kraken", Pair("btc", "usd")))
        await b.engine.source_quote("kraken", BTC)

        assert [[BTC]] == b.sources[2].calls
        assert [BTC] == [state.pair for state in b.engine.pairs("kraken")]


async def test_configured_feeds_are_fetched_without_a_request() -> None:
    """The warm-up ends when every configured feed has a price, and they stay fresh."""
    async with bench(settings(pinned=(BTC, ETH))) as b:
        warm = asyncio.create_task(b.engine.warm_up())
        await b.run(0.1)

        assert await warm
        assert [[BTC, ETH]] * 3 == [source.calls[0] for source in b.sources]

        await b.run(60)

        assert 6 == sum(state.fresh_pairs for state in b.engine.source_states())
        assert 0 == b.engine.clear_inactive(1)


async def test_the_warm_up_ends_with_its_time() -> None:
    """A source that hangs does not keep the service from starting."""
    async with bench(settings("kraken", pinned=(BTC,))) as b:
        b.sources[0].gate.clear()

        assert not await b.engine.warm_up(0.05)


async def test_batches_are_filled_with_the_pairs_fetched_longest_ago() -> None:
    """One miss refreshes its source's other registered pairs with the same call."""
    async with bench() as b:
        await b.ask(b.engine.source_quote("kraken", BTC))
        await b.run(3)
        await b.ask(b.engine.source_quote("kraken", ETH))

        assert [[BTC], [ETH, BTC]] == b.sources[2].calls


async def test_many_pairs_cost_as_many_calls_as_batches_need() -> None:
    """Fifty pairs of one source with batches of ten need 5 calls a refresh, not 50, and none is ever stale."""
    pairs = [Pair(f"A{number}", "USD") for number in range(50)]
    async with bench(settings("kraken")) as b:
        b.sources[0].prices = dict.fromkeys(pairs, "1")
        tasks = [asyncio.create_task(b.engine.source_quote("kraken", pair)) for pair in pairs]
        await b.run(0.1)
        await asyncio.gather(*tasks)

        assert 5 == len(b.sources[0].calls)

        await b.run(70)

        assert 50 == b.engine.source_state("kraken").fresh_pairs
        assert len(b.sources[0].calls) <= 5 * 12


async def test_idle_pairs_are_forgotten_and_no_longer_fetched() -> None:
    """A pair nobody asks for is removed after the inactive time."""
    async with bench(settings(inactive_timeout_ms=30_000, cleanup_interval_ms=1_000)) as b:
        await b.ask(b.engine.source_quote("kraken", BTC))
        await b.run(32)
        calls = len(b.sources[2].calls)
        await b.run(30)

        assert ([], calls) == (b.engine.pairs(), len(b.sources[2].calls))


async def test_the_number_of_pairs_is_bounded() -> None:
    """A full registry refuses a new pair instead of growing."""
    async with bench(settings(most_pairs=1)) as b:
        await b.ask(b.engine.source_quote("kraken", BTC))
        with pytest.raises(TooManyPairs):
            await b.ask(b.engine.source_quote("kraken", ETH))


async def test_sources_can_be_chosen() -> None:
    """The median over named sources takes only these; an unknown one is refused by name."""
    async with bench() as b:
        quote = await b.ask(b.engine.quote(BTC, sources=["binance", "kraken"]))

        assert Decimal("101.5") == quote.price
        assert Decimal(101) == (await b.ask(b.engine.quote(BTC))).price
        with pytest.raises(InvalidInput, match="okx"):
            await b.engine.quote(BTC, sources=["okx"])


async def test_unknown_and_disabled_sources_are_told_apart() -> None:
    """A configured source that is off is disabled; one that does not exist is unknown; neither registers a pair."""
    config = settings(*NAMES, "okx")
    async with bench(config) as b:
        with pytest.raises(SourceDisabled):
            await b.engine.source_quote("okx", BTC)
        with pytest.raises(UnknownSource):
            await b.engine.source_quote("nope", BTC)

        assert [] == b.engine.pairs()
        assert [False] == [state.enabled for state in b.engine.source_states() if state.name == "okx"]


async def test_followers_see_changes_and_the_loss_of_a_price() -> None:
    """A follower gets the price, its change, and the error that takes its place; the pair stays registered for it."""
    async with bench(settings("kraken", inactive_timeout_ms=20_000, cleanup_interval_ms=1_000)) as b:
        seen: list[object] = []

        task = asyncio.create_task(b.follow(seen))
        await b.run(0.1)
        b.sources[0].prices[BTC] = "104"
        await b.run(40)
        b.sources[0].failure = ProviderFault("kraken", "down")
        await b.run(12)
        task.cancel()

        assert [Decimal(103), Decimal(104), "PROVIDER_FAULT"] == seen


async def test_followers_hear_nothing_before_enough_sources_have_answered() -> None:
    """One price of three while the others are still asked is neither a quote nor an error."""
    async with bench() as b:
        seen: list[object] = []

        for source in b.sources[1:]:
            source.gate.clear()
        task = asyncio.create_task(b.follow(seen))
        await b.run(1)
        before = list(seen)
        for source in b.sources[1:]:
            source.gate.set()
        await b.run(1)
        task.cancel()

        assert ([], Decimal(101)) == (before, seen[-1])
        assert "TOO_FEW_SOURCES" not in seen


async def test_followed_pairs_are_refreshed_whatever_the_source_is_set_to() -> None:
    """A follower sees the next price of a source that otherwise fetches only on request."""
    config = settings("kraken")
    config = replace(config, sources={"kraken": replace(config.sources["kraken"], refetch=False)})
    async with bench(config) as b:
        seen: list[object] = []

        task = asyncio.create_task(b.follow(seen))
        await b.run(0.1)
        b.sources[0].prices[BTC] = "104"
        await b.run(30)
        task.cancel()

        assert [Decimal(103), Decimal(104)] == seen


async def test_following_an_unknown_pair_is_an_error() -> None:
    """The stream does not wait for a pair that no source has."""
    async with bench() as b:
        with pytest.raises(UnknownPair):
            await anext(b.engine.follow([SOL], 0))


async def test_batches_answer_each_pair_once_in_order() -> None:
    """Quotes and errors stand in the order of the first mention."""
    async with bench() as b:
        task = asyncio.create_task(b.engine.quotes([ETH, SOL, BTC, ETH]))
        await b.run(0.1)
        results = await task

        assert [(ETH, Quote), (SOL, UnknownPair), (BTC, Quote)] == [(pair, type(result)) for pair, result in results]


async def test_closing_ends_every_wait() -> None:
    """A caller that waits for a hanging source gets an error when the engine closes."""
    made = Bench(settings("kraken"))
    made.sources[0].gate.clear()
    await made.engine.start()
    waiting = asyncio.create_task(made.engine.source_quote("kraken", BTC))
    await made.run(0.1)
    await until(lambda: bool(made.sources[0].calls))
    await made.engine.close()
    unavailable: Callable[[], object] = waiting.exception

    await asyncio.wait([waiting], timeout=5)

    assert "ended without an outcome" in str(unavailable())


async def test_following_resumes_refreshes() -> None:
    """A pair that was requested once from a source without refreshes is kept fresh from the moment it is followed."""
    config = settings("kraken")
    config = replace(config, sources={"kraken": replace(config.sources["kraken"], refetch=False)})
    async with bench(config) as b:
        await b.ask(b.engine.quote(BTC))
        await b.run(9.5)
        seen: list[object] = []
        task = asyncio.create_task(b.follow(seen))
        await b.run(60)
        task.cancel()

        assert [Decimal(103)] == seen


async def test_a_source_tells_its_limits_and_its_circuit() -> None:
    """Operators see a cool-down, an open circuit and the calls under way."""
    config = settings()
    config = replace(config, sources={**config.sources, "kraken": replace(config.sources["kraken"], rps=Fraction(7))})
    async with bench(config) as b:
        b.sources[0].failure = SourceRateLimited("binance", 20_000)
        b.sources[1].failure = ProviderFault("coinbase", "down")
        b.sources[2].gate.clear()
        task = asyncio.create_task(b.engine.quote(BTC))
        await b.run(8)
        binance, coinbase, kraken = b.engine.source_states()

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
