"""
The known defects of the service that deployments ran before, each with a test that would have shown it.

Numbers are those of the list of defects; the ones that concern single sources, streams (2, 21), proxies (10), HTTP and
secrets (12) are tested there.
"""

import ast
import asyncio
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from feedmesh.aggregator.v1 import quote_service_pb2 as pb
from meshkit.clock import ManualClock
from services.aggregator.config import LONGEST_WAIT_MS, AggregatorConfig, PairTtl
from services.aggregator.prices.errors import (
    MalformedAnswer,
    PriceRefused,
    ProviderFault,
    SourceBusy,
    SourceDisabled,
    SourceRateLimited,
    SourceTimeout,
    TooManyPairs,
)
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Quote, QuoteStatus, SourceQuote, Tick
from services.aggregator.sources.settings import SourceConfig
from services.aggregator.sources.source import UNLIMITED, RateLimiter, TickOutcome
from tests.aggregator.bench import Bench, bench
from tests.aggregator.fakes import BTC, ETH, NAMES, ScriptedSource, settings


def with_source(config: AggregatorConfig, name: str = "kraken", **changes: object) -> AggregatorConfig:
    """Return a configuration with changed settings of one source."""
    changed: SourceConfig = replace(config.sources[name], **changes)  # type: ignore[arg-type]
    return replace(config, sources={**config.sources, name: changed})


@pytest.mark.parametrize("price", ["0", "-1", "NaN", "undefined", "1735689600000000000"])
async def test_defect_1_doubtful_prices_are_not_served(price: str) -> None:
    """Neither a wrong number nor a price far from the other sources' is in an answer, and it is counted."""
    async with bench() as b:
        b.sources[2].prices[BTC] = price
        quote = await b.ask(b.engine.answers.quote(BTC))

        assert isinstance(quote, Quote)
        assert ["binance", "coinbase"] == [used.source for used in quote.sources]
        assert b.counted('refused_prices_total{reason="number",source="kraken"}') + b.counted(
            'refused_prices_total{reason="range",source="kraken"}'
        )


async def test_defect_1_a_jump_is_not_served_unconfirmed() -> None:
    """A source that alone sends a tenfold price keeps its last one until that expires; it recovers by itself."""
    async with bench(replace(settings("kraken"), jump_guard_bps=1_000, first_price_hold_ms=0)) as b:
        await b.ask(b.engine.answers.quote(BTC))
        b.sources[0].prices[BTC] = "1030"
        await b.run(9.0)

        assert Decimal(103) == (await b.engine.answers.quote(BTC)).price
        assert b.counted('refused_prices_total{reason="unit",source="kraken"}') >= 1

        b.sources[0].prices[BTC] = "104"
        await b.run(3.0)

        assert Decimal(104) == (await b.engine.answers.quote(BTC)).price


async def test_defect_1_one_source_left_of_many_is_no_price() -> None:
    """Where several sources are mapped, a single survivor is not enough."""
    async with bench() as b:
        for source in b.sources[:2]:
            source.prices[BTC] = "0"
        with pytest.raises(Exception, match="1 fresh sources, 2 are required"):
            await b.ask(b.engine.answers.quote(BTC))


async def test_defect_3_a_time_to_live_is_exact_to_the_millisecond() -> None:
    """At 1500 ms a price is there after 1499 ms and gone after 1500 ms, and refreshes keep it there."""
    config = settings("kraken", refetch=False, pair_ttls=(PairTtl(BTC, None, 1_500),))
    async with bench(config) as b:
        received_ms = (await b.ask(b.engine.answers.source_quote("kraken", BTC))).received_ms
        b.clock.advance((received_ms + 1_499 - b.clock.time_ms()) / 1000)
        await b.engine.answers.source_quote("kraken", BTC)

        assert 1 == len(b.sources[0].calls)

        b.clock.advance(0.001)
        await b.ask(b.engine.answers.source_quote("kraken", BTC))

        assert 2 == len(b.sources[0].calls)


@pytest.mark.parametrize(("ttl_ms", "trigger_ms"), [(5_000, 3_000), (1_000, 3_000), (3_000, 3_000), (2_000, 60_000)])
async def test_defect_4_a_refresh_is_never_skipped(ttl_ms: int, trigger_ms: int) -> None:
    """Also if the trigger is as long as the time to live or longer, no request of a minute misses after the first."""
    config = with_source(settings("kraken"), ttl_ms=ttl_ms, stale_trigger_ms=trigger_ms)
    async with bench(config) as b:
        await b.ask(b.engine.answers.source_quote("kraken", BTC))
        for _ in range(120):
            await b.run(0.5)
            await asyncio.wait_for(b.engine.answers.source_quote("kraken", BTC), 0.5)

        assert 1 == b.counted('cache_misses_total{source="kraken"}')


async def test_defect_5_a_failed_batch_is_retried_for_each_of_its_pairs() -> None:
    """After a batch that failed, and after one that left a pair out, every pair is fresh again without a request."""
    async with bench(settings("kraken", pinned=(BTC, ETH))) as b:
        await b.run(1)
        b.sources[0].failure = MalformedAnswer("kraken", "x")
        await b.run(14)
        b.sources[0].failure = None
        await b.run(5.2)

        assert 2 == b.engine.status.source("kraken").fresh_pairs

        del b.sources[0].prices[ETH]
        await b.run(20)
        b.sources[0].prices[ETH] = "1030"
        await b.run(61)

        assert 2 == b.engine.status.source("kraken").fresh_pairs


async def test_defect_6_case_makes_no_second_pair() -> None:
    """btc/usd, Btc/uSD and BTC/USD are one registration, one cached price and one call."""
    async with bench() as b:
        for spelled in (Pair("btc", "usd"), Pair("Btc", "uSD"), BTC):
            await b.ask(b.engine.answers.source_quote("kraken", spelled))

        assert ([BTC], 1) == ([state.pair for state in b.engine.status.pairs()], len(b.sources[2].calls))


async def test_defect_7_a_rate_below_one_lets_calls_run() -> None:
    """At one call in ten seconds there are seven in a minute, the first at once; at 2.8 a second there are 169."""
    for rate, seconds, calls in ((Fraction(1, 10), 60.5, 7), (Fraction("2.8"), 60.1, 169)):
        config = with_source(settings("kraken", refetch=False), rps=rate)
        made = Bench(config, max_batch=1)
        made.sources[0].prices = {Pair(f"A{number}", "USD"): "1" for number in range(400)}
        pairs = iter(made.sources[0].prices)
        asked: list[asyncio.Task[SourceQuote]] = []
        for _ in range(round(seconds * 4)):
            asked.append(asyncio.create_task(made.engine.answers.source_quote("kraken", next(pairs), timeout_s=0)))
            await made.run(0.25, 0.05)

        assert calls == pytest.approx(len(made.sources[0].calls), abs=1)

        await made.engine.close()
        await asyncio.gather(*asked, return_exceptions=True)


async def test_defect_8_no_rate_still_has_a_bound_and_retries() -> None:
    """With rps null, no more than maxConcurrent calls are under way, and a fault is repeated."""
    config = with_source(settings("kraken"), rps=None, max_concurrent=3, max_retries=2)
    async with bench(config, max_batch=1) as b:
        source = b.sources[0]
        pairs = [Pair(f"A{number}", "USD") for number in range(9)]
        source.prices = dict.fromkeys(pairs, "1")
        source.gate.clear()
        tasks = [asyncio.create_task(b.engine.answers.source_quote("kraken", pair)) for pair in pairs]
        await b.run(0.2)

        assert 3 == len(source.calls)

        source.gate.set()
        await b.run(0.2)
        await asyncio.gather(*tasks)
        source.calls.clear()
        source.failure = ProviderFault("kraken", "down")
        task = asyncio.create_task(b.engine.answers.source_quote("kraken", BTC))
        await b.run(1.5)
        with pytest.raises(ProviderFault):
            await task

        assert 3 <= source.calls.count([BTC])


async def test_defect_9_a_limit_is_obeyed_and_a_fault_not_repeated_at_once() -> None:
    """After a limit answer of 20 s there is no call for 20 s, for any pair; the repeats of a fault have pauses."""
    config = with_source(settings("kraken"), max_retries=3)
    async with bench(config) as b:
        source = b.sources[0]
        source.failure = SourceRateLimited("kraken", 20_000)
        for pair in (BTC, ETH):
            with pytest.raises(SourceRateLimited):
                await b.ask(b.engine.answers.source_quote("kraken", pair))
        await b.run(19)

        assert 1 == len(source.calls)

        source.failure = None
        await b.run(2)

        assert Decimal(103) == (await b.ask(b.engine.answers.source_quote("kraken", BTC))).price

        source.failure = ProviderFault("kraken", "down")
        before = len(source.calls)
        await b.run(30)

        # Four calls at once, as before, and again each second, would be a hundred.
        assert 4 <= len(source.calls) - before <= 20


async def test_defect_11_callers_cannot_make_the_service_grow() -> None:
    """A disabled source registers nothing, unknown pairs do not stay, and the number of pairs is bounded."""
    config = settings(*NAMES, "okx", most_pairs=20)
    async with bench(config) as b:
        with pytest.raises(SourceDisabled):
            await b.engine.answers.source_quote("okx", BTC)
        series = len(b.metrics.render())
        for number in range(100):
            task = asyncio.create_task(b.engine.answers.source_quote("kraken", Pair(f"X{number}", "USD")))
            await asyncio.sleep(0)
            if number >= 20:
                with pytest.raises(TooManyPairs):
                    await task
        await b.run(1)

        assert [] == b.engine.status.pairs()
        assert len(b.metrics.render()) < series + 1_000


@pytest.mark.parametrize("failure", [SourceRateLimited("kraken", 1_000), MalformedAnswer("kraken", "a page of a CDN")])
async def test_defect_14_a_limit_is_no_unknown_pair(failure: SourceRateLimited | MalformedAnswer) -> None:
    """A limit answer, or a page that is none of the source's, does not unregister the pair; it comes back by itself."""
    async with bench(settings("kraken")) as b:
        await b.ask(b.engine.answers.source_quote("kraken", BTC))
        b.sources[0].failure = failure
        await b.run(15)

        assert [BTC] == [state.pair for state in b.engine.status.pairs()]

        b.sources[0].failure = None
        await b.run(5.2)

        assert Decimal(103) == (await b.engine.answers.source_quote("kraken", BTC)).price


class FrozenMarket:
    """Answer for the bench's source with the same price of the same time for ever."""

    def __init__(self, clock: ManualClock) -> None:
        self.tick = Tick("103", clock.time_ms())

    async def fetch(self, pairs: Sequence[Pair], _limiter: RateLimiter = UNLIMITED) -> dict[Pair, TickOutcome]:
        """Return the one tick there is."""
        return dict.fromkeys(pairs, self.tick)


async def test_defect_15_age_is_that_of_the_exchange() -> None:
    """A market that stands still is served for the maximum age by the exchange's clock, however often it answers."""
    async with bench(with_source(settings("kraken"), max_age_ms=60_000)) as b:
        b.sources[0].fetch = FrozenMarket(b.clock).fetch  # type: ignore[method-assign]
        await b.ask(b.engine.answers.source_quote("kraken", BTC))
        await b.run(59)

        assert Decimal(103) == (await b.engine.answers.source_quote("kraken", BTC)).price

        await b.run(1.1)
        with pytest.raises(PriceRefused, match="allowed are 60000 ms"):
            await b.ask(b.engine.answers.source_quote("kraken", BTC))

        assert b.counted('refused_prices_total{reason="age",source="kraken"}') >= 1


async def test_defect_16_a_failure_is_not_amplified() -> None:
    """A batch of fifty pairs that fails is asked for again as a batch, and nothing runs on after the deadline."""
    pairs = [Pair(f"A{number}", "USD") for number in range(50)]
    config = with_source(settings("kraken"), max_retries=3, timeout_ms=1_000)
    async with bench(config, max_batch=50) as b:
        source = b.sources[0]
        source.failure = ProviderFault("kraken", "down")
        tasks = [asyncio.create_task(b.engine.answers.source_quote("kraken", pair)) for pair in pairs]
        await b.run(1.0)
        await asyncio.gather(*tasks, return_exceptions=True)

        assert len(source.calls) <= 8
        assert {50} == {len(call) for call in source.calls}

        source.failure = None
        source.gate.clear()
        await b.run(12)
        task = asyncio.create_task(b.engine.answers.source_quote("kraken", pairs[0]))
        await b.run(12)
        with pytest.raises(SourceTimeout):
            await task

        assert b.engine.status.source("kraken").calls_running <= 1


async def test_defect_16_the_queue_has_an_end() -> None:
    """A source of one call in ten seconds refuses the second pair at once, with the time to try again."""
    async with bench(with_source(settings("kraken"), rps=Fraction(1, 20)), max_batch=1) as b:
        await b.ask(b.engine.answers.source_quote("kraken", BTC))
        with pytest.raises(SourceBusy) as caught:
            await b.ask(b.engine.answers.source_quote("kraken", ETH))

        assert 19_000 < caught.value.retry_after_ms <= 20_001


async def test_defect_18_names_with_a_dash_stay_whole() -> None:
    """A source and an asset with dashes are one label and one pair, and removing a pair takes no other's metrics."""
    name, coin = "exchangerate-host", Pair("usd-coin", "USD")
    config = AggregatorConfig(
        {"exchangeratehost": SourceConfig("exchangeratehost", refetch=False)}, {coin: {name: coin}}, jump_guard_bps=None
    )
    made = Bench(config)
    made.sources.append(source := ScriptedSource(name))
    source.prices = {coin.upper(): "1", Pair("EUR", "USD"): "1.1"}
    made.engine = type(made.engine)(config, made.sources, made.clock, made.metrics)
    for pair in (coin, Pair("EUR", "USD")):
        await made.ask(made.engine.answers.source_quote(name, pair))
    before = made.counted(f'source_requests_total{{source="{name}",status="success"}}')
    made.clock.advance(10_000)

    assert [coin.upper(), Pair("EUR", "USD")] == sorted(
        (state.pair for state in made.engine.status.pairs()), reverse=True
    )
    assert 2 == made.engine.clear_inactive(1_000)
    assert 2 == before == made.counted(f'source_requests_total{{source="{name}",status="success"}}')

    await made.engine.close()


async def test_defect_20_sources_do_not_share_a_limit() -> None:
    """Sources at the same host have limits of their own, each with its own settings."""
    config = with_source(with_source(settings(), "binance", rps=Fraction(1, 100)), "kraken", rps=Fraction(100))
    async with bench(config, max_batch=1) as b:
        for pair in (BTC, ETH):
            await b.ask(b.engine.answers.source_quote("kraken", pair))
        await b.ask(b.engine.answers.source_quote("binance", BTC))
        with pytest.raises(SourceBusy):
            await b.ask(b.engine.answers.source_quote("binance", ETH))


async def test_defect_22_an_answer_comes_before_the_job_gives_up() -> None:
    """A caller waits for less than the ten seconds of a job, and has enough sources long before that."""
    assert LONGEST_WAIT_MS < 10_000
    async with bench() as b:
        b.sources[0].gate.clear()
        quote = await asyncio.wait_for(b.ask(b.engine.answers.quote(BTC)), 5)

        assert isinstance(quote, Quote)
        assert QuoteStatus.DEGRADED is quote.status


def test_defect_23_nothing_is_out_of_reach() -> None:
    """Every function, method and class of the service is used by the service itself, or called by its servers."""
    defined: set[str] = set()
    used: set[str] = set()
    for path in (Path(__file__).parents[2] / "services/aggregator").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                    defined.add(name)
                case ast.Attribute(attr=name) | ast.Name(id=name):
                    used.add(name)
                case ast.alias(name=name):
                    used.add(name.rpartition(".")[2])
    verbs = {method.name for method in pb.DESCRIPTOR.services_by_name["QuoteService"].methods}
    called = verbs | set(dir(asyncio.Protocol)) | {name for name in defined if name.startswith("__")}

    assert len(verbs) >= 7
    assert set() == defined - used - called
