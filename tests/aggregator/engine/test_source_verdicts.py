"""What is told of each source of a feed, and prices of once made by the rules of now."""

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.engine.engine import Engine
from services.aggregator.prices.agreement import Rules
from services.aggregator.prices.errors import ProviderFault, SourcesDisagree, TooFewSources
from services.aggregator.prices.feed_price import believe_again
from services.aggregator.prices.median import median
from services.aggregator.prices.quote import LeftOut, SourceQuote, Verdict
from tests.aggregator.bench import bench
from tests.aggregator.fakes import BTC, settings

NOW_MS = 1_700_000_000_000


def said(source: str, price: str) -> SourceQuote:
    """Return what a source said once."""
    return SourceQuote(source, BTC, Decimal(price), NOW_MS, float("inf"))


async def test_each_absent_source_has_its_reason() -> None:
    """A source that failed and one whose price broke a rule are told by name, with reason, rule and words."""
    async with bench(settings(max_spread_bps=500)) as b:
        b.sources[2].failure = ProviderFault("kraken", "HTTP 500")
        b.sources[1].prices[BTC] = "-1"
        with pytest.raises(TooFewSources):
            await b.ask(b.engine.answers.quote(BTC))

        told = {each.source: each for each in b.engine.verdicts.absent(BTC, ())}

        assert {"coinbase", "kraken"} == set(told)
        assert ("failed", "PROVIDER_FAULT", "") == (told["kraken"].verdict, told["kraken"].reason, told["kraken"].rule)
        assert ("refused", "range") == (told["coinbase"].verdict, told["coinbase"].rule)
        assert "HTTP 500" in told["kraken"].message
        assert ["binance"] == [each.quote.source for each in b.engine.verdicts.priced(BTC)]


async def test_a_source_that_is_not_asked_any_more_says_so() -> None:
    """One that failed too often is told as cut off, as its last failure alone does not say why it stays away."""
    async with bench() as b:
        b.sources[2].failure = ProviderFault("kraken", "HTTP 500")
        await b.ask(b.engine.answers.quote(BTC))
        for _ in range(200):
            (told,) = b.engine.verdicts.absent(BTC, ("binance", "coinbase"))
            if told.is_cut_off:
                break
            await b.run(0.5)

        assert ("failed", True) == (told.verdict, told.is_cut_off)


async def test_a_source_that_is_over_tells_when_its_last_price_was() -> None:
    """A source whose price has expired is stale, and one that was never asked is silent."""
    async with bench() as b:
        assert {"silent"} == {each.verdict for each in b.engine.verdicts.absent(BTC, ())}

        await b.ask(b.engine.answers.quote(BTC))
        last_ms = b.clock.time_ms()
        for source in b.sources:
            source.gate.clear()
        await b.run(60)

        told = b.engine.verdicts.absent(BTC, ("binance",))
        assert ["coinbase", "kraken"] == [each.source for each in told]
        assert all(each.last_ms is not None and each.last_ms <= last_ms for each in told)
        assert {"stale", "failed"} >= {each.verdict for each in told}


async def test_sources_that_disagree_are_all_apart() -> None:
    """Where no majority agrees, each fresh price is shown with the verdict that it stands apart."""
    async with bench(settings(max_spread_bps=500)) as b:
        for source, price in zip(b.sources, ("100", "120", "150"), strict=True):
            source.prices[BTC] = price
        with pytest.raises(SourcesDisagree):
            await b.ask(b.engine.answers.quote(BTC))

        assert ["apart"] * 3 == [each.verdict for each in b.engine.verdicts.priced(BTC)]
        assert [] == b.engine.verdicts.absent(BTC, ())


@pytest.fixture(name="engine")
async def _engine() -> AsyncIterator[Engine]:
    async with bench(settings(max_spread_bps=500)) as b:
        yield b.engine


async def test_a_quote_comes_again_of_what_it_was_made_of(engine: Engine) -> None:
    """Agreeing prices and outliers together make the same median, with the same ones left out."""
    sources, left_out = (
        [said("binance", "100"), said("coinbase", "101")],
        [LeftOut(said("kraken", "150"), Verdict.OUTLIER)],
    )

    quote = engine.verdicts.replay(BTC, sources, left_out)

    assert Decimal(101) == quote.price
    assert ["kraken"] == [left.quote.source for left in quote.left_out]


async def test_what_was_in_another_unit_stays_out(engine: Engine) -> None:
    """Which price was in another unit is taken from then, as the feed's last price is not known any more."""
    left_out = [LeftOut(said("kraken", "1"), Verdict.UNIT)]

    quote = engine.verdicts.replay(BTC, [said("binance", "100"), said("coinbase", "101")], left_out)

    assert Decimal(101) >= quote.price >= Decimal(100)
    assert ["binance", "coinbase"] == [used.source for used in quote.sources]


async def test_prices_that_give_none_are_an_error(engine: Engine) -> None:
    """Too few prices, and prices that no majority shares, are the errors that they were in life."""
    with pytest.raises(TooFewSources):
        engine.verdicts.replay(BTC, [said("binance", "100")], [])
    with pytest.raises(SourcesDisagree):
        engine.verdicts.replay(BTC, [said("binance", "100"), said("coinbase", "150")], [])


@given(st.lists(st.decimals(99, 101, places=4), min_size=1, max_size=9))
def test_prices_near_together_make_their_median(prices: list[Decimal]) -> None:
    """Whatever near prices there were, of sources of equal weight, the price of now is their median."""
    quotes = [said(f"s{index}", str(price)) for index, price in enumerate(prices)]

    assert median(prices) == believe_again(BTC, quotes, len(quotes), Rules(), frozenset()).price
