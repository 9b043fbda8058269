"""Prices are fetched anew before they expire, never served after, and it costs the sources as little as can be."""

import asyncio
from decimal import Decimal

import pytest
from structlog.testing import capture_logs

from services.aggregator.config import PairTtl
from services.aggregator.prices.errors import (
    ProviderFault,
    TooFewSources,
)
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Quote, SourceQuote
from tests.aggregator.bench import SOL, Bench, bench
from tests.aggregator.cache.making import MadeCache
from tests.aggregator.fakes import BTC, ETH, settings


@pytest.mark.parametrize("ttl_ms", [1_000, 1_500, 2_000, 10_000])
async def test_registered_pairs_never_miss_after_the_first_time(ttl_ms: int) -> None:
    """For a minute of asking every 50 ms, every answer comes from the cache, with the newest price in time."""
    config = settings(pair_ttls=(PairTtl(BTC, None, ttl_ms),))
    async with bench(config) as b:
        await b.ask(b.engine.answers.quote(BTC))
        for tenth in range(200):
            await b.run(0.3)
            b.sources[1].prices[BTC] = str(101 + tenth / Decimal(1000))
            task = asyncio.create_task(b.engine.answers.quote(BTC))
            await asyncio.sleep(0)
            await asyncio.sleep(0)

            assert task.done()
            assert b.clock.time_ms() - task.result().received_ms < ttl_ms

        assert 60_000 / ttl_ms <= len(b.sources[0].calls) <= 2.2 * 60_000 / ttl_ms + 2


async def test_nothing_stale_is_served() -> None:
    """With every source down, the price is there until its time to live ends, and an error from then on."""
    async with bench() as b:
        await b.ask(b.engine.answers.quote(BTC))
        for source in b.sources:
            source.failure = ProviderFault(source.DECLARATION.name, "down")
        await b.run(9.8)

        assert isinstance(await b.ask(b.engine.answers.quote(BTC)), Quote)

        await b.run(0.3)
        with pytest.raises(TooFewSources):
            await b.ask(b.engine.answers.quote(BTC))
        with pytest.raises(ProviderFault):
            await b.ask(b.engine.answers.source_quote("kraken", BTC))


async def test_expiry_does_not_depend_on_the_refresh_loop() -> None:
    """Even if nothing withdrew it, an expired price is fetched anew and not served."""
    made = Bench(settings())
    await made.ask(made.engine.answers.quote(BTC))
    made.sources[1].prices[BTC] = "102"
    made.clock.advance(10)

    assert Decimal(102) == (await made.ask(made.engine.answers.quote(BTC))).price

    await made.engine.close()


async def test_a_price_that_expires_while_another_is_awaited_is_not_used() -> None:
    """The first source's price is a second old when the second source answers after two."""
    made = Bench(settings("binance", "kraken", pair_ttls=(PairTtl(BTC, None, 1_000),)))
    made.sources[1].gate.clear()
    asked = asyncio.create_task(made.engine.answers.quote(BTC))
    await made.run(2)
    made.sources[1].gate.set()
    with pytest.raises(TooFewSources) as caught:
        await asked

    assert 1 == caught.value.fresh

    await made.engine.close()


async def test_batches_are_filled_with_the_pairs_fetched_longest_ago() -> None:
    """One miss refreshes its source's other registered pairs with the same call."""
    async with bench() as b:
        await b.ask(b.engine.answers.source_quote("kraken", BTC))
        await b.run(3)
        await b.ask(b.engine.answers.source_quote("kraken", ETH))

        assert [[BTC], [ETH, BTC]] == b.sources[2].calls


async def test_many_pairs_cost_as_many_calls_as_batches_need() -> None:
    """Fifty pairs of one source with batches of ten need 5 calls a refresh, not 50, and none is ever stale."""
    pairs = [Pair(f"A{number}", "USD") for number in range(50)]
    async with bench(settings("kraken")) as b:
        b.sources[0].prices = dict.fromkeys(pairs, "1")
        tasks = [asyncio.create_task(b.engine.answers.source_quote("kraken", pair)) for pair in pairs]
        await b.run(0.1)
        await asyncio.gather(*tasks)

        assert 5 == len(b.sources[0].calls)

        await b.run(70)

        assert 50 == b.engine.status.source("kraken").fresh_pairs
        assert len(b.sources[0].calls) <= 5 * 12


async def depart(made: MadeCache) -> None:
    """Let fetches that have begun reach their sources."""
    for _ in range(3):
        for _ in range(10):
            await asyncio.sleep(0)
        made.clock.advance(0.01)


async def test_a_pinned_feed_has_all_its_sources_asked_at_once() -> None:
    """Its own pairs and those of what it is computed with are fetched now and never removed."""
    ratio = Pair("BTC", "ETH")
    made = MadeCache(settings(crosses={ratio: (BTC, ETH)}))
    made.cache.refresher.pin(ratio)
    await depart(made)

    assert [[[BTC, ETH]]] * 3 == [source.calls for source in made.sources.values()]
    assert all(entry.pinned for entry in made.cache.registry.of_source("kraken"))
    await made.cache.close()


def test_a_feed_without_a_source_is_told() -> None:
    """Nothing is fetched for it, and the log names it."""
    made = MadeCache(settings("kraken"))
    with capture_logs() as logs:
        made.cache.refresher.pin(SOL)

    assert [("feed_without_source", "SOL/USD")] == [(event["event"], event["feed"]) for event in logs]
    assert 0 == len(made.cache.registry)


async def test_a_watched_feed_is_refreshed_again_at_once_if_nothing_did() -> None:
    """A pair that is scheduled already keeps its time; one that nobody wanted so far is due now."""
    made = MadeCache(settings("kraken"))
    made.cache.registry.touch("kraken", BTC)
    made.fetched("kraken", "100", BTC)
    scheduled = made.cache.refresher.step()
    made.clock.advance(1)
    made.cache.refresher.watch(BTC)

    assert scheduled == made.cache.refresher.step()

    made.cache.refresher.watch(ETH)
    made.cache.refresher.step()
    await depart(made)

    assert [ETH] == made.sources["kraken"].calls[0][:1]
    await made.cache.close()


async def test_a_refresh_that_nobody_wants_any_more_is_not_made() -> None:
    """Where refreshes are off for a pair by the time it is due, it is left alone, and so is a forgotten one."""
    made = MadeCache(settings("kraken"))
    made.cache.registry.touch("kraken", BTC)
    made.fetched("kraken", "100")
    due_at = made.cache.refresher.step()
    assert due_at is not None
    made.cache.registry.remove("kraken", BTC)
    made.clock.advance(due_at)
    made.cache.refresher.step()
    await depart(made)

    assert [] == made.sources["kraken"].calls
    await made.cache.close()


async def test_refreshes_are_counted_and_fetches_for_callers_are_not() -> None:
    """Each has its outcome and its time; a caller who joins a refresh changes nothing about that."""
    async with bench(settings("kraken", pinned=(BTC,))) as b:
        await b.run(9)
        b.sources[0].failure = ProviderFault("kraken", "down")
        await b.run(12)

        succeeded = b.counted('refetch_operations_total{source="kraken",status="success"}')
        failed = b.counted('refetch_operations_total{source="kraken",status="error"}')
        assert (1, True) == (succeeded, failed > 1)
        assert succeeded + failed == b.counted('refetch_duration_seconds_count{source="kraken"}')
        assert succeeded + failed + 1 == len(b.sources[0].calls)


async def test_a_refresh_loop_that_dies_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect in the loop is counted and logged, and prices go on being fetched afterwards."""
    async with bench() as b:
        await b.ask(b.engine.answers.quote(BTC))
        refresher = b.engine._cache.refresher
        step, deaths = refresher.step, 0

        def die() -> float | None:
            nonlocal deaths
            deaths += 1
            if deaths <= 2:
                raise TypeError("ours")
            return step()

        monkeypatch.setattr(refresher, "step", die)
        with capture_logs() as logs:
            await b.run(3)
        calls = sum(b.calls())
        await b.run(20)

        assert 2.0 == b.counted('background_task_deaths_total{task="refresh"}')
        assert ["refresh", "refresh"] == [line["task"] for line in logs if line["event"] == "task_died"]
        assert calls < sum(b.calls())
        assert isinstance(await b.ask(b.engine.answers.quote(BTC)), Quote)


async def test_a_pair_that_crashes_costs_no_other_its_refresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was due together with it is fetched all the same, and it is tried again itself."""
    async with bench() as b:
        await asyncio.gather(b.ask(b.engine.answers.quote(BTC)), b.ask(b.engine.answers.quote(ETH)))
        fetcher = b.engine._cache.fetchers["kraken"]
        refresh, crashed = fetcher.refresh, 0

        def crash(pair: Pair) -> None:
            nonlocal crashed
            if pair == BTC and crashed < 2:
                crashed += 1
                raise TypeError("ours")
            refresh(pair)

        monkeypatch.setattr(fetcher, "refresh", crash)
        await b.run(30)

        assert 2 == crashed
        assert 0.0 == b.counted('background_task_deaths_total{task="refresh"}')
        for pair in (BTC, ETH):
            assert isinstance(await b.ask(b.engine.answers.source_quote("kraken", pair)), SourceQuote)
