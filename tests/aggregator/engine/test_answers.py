"""The engine on a manual clock with scripted sources: what is answered, and what it costs the sources."""

import asyncio
from decimal import Decimal

import pytest

from meshkit.errors import InvalidInput
from services.aggregator.prices.errors import (
    SourceDisabled,
    UnknownPair,
    UnknownSource,
)
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Quote, QuoteStatus
from tests.aggregator.bench import SOL, bench
from tests.aggregator.fakes import BTC, ETH, NAMES, settings


async def test_a_quote_is_the_median_of_all_sources() -> None:
    """Three sources give a fresh quote of the middle price."""
    async with bench() as b:
        quote = await b.ask(b.engine.answers.quote(BTC))

        assert isinstance(quote, Quote)
        assert (Decimal(101), QuoteStatus.FRESH) == (quote.price, quote.status)
        assert list(NAMES) == [used.source for used in quote.sources]


async def test_a_second_request_costs_nothing() -> None:
    """Within the time to live the cache answers, for the median and for each source."""
    async with bench() as b:
        await b.ask(b.engine.answers.quote(BTC))
        await b.engine.answers.quote(BTC)
        await b.engine.answers.source_quote("kraken", BTC)

        assert [1, 1, 1] == b.calls()


async def test_concurrent_requests_share_one_fetch() -> None:
    """A hundred callers at once cause one call to each source."""
    async with bench() as b:
        tasks = [asyncio.create_task(b.engine.answers.quote(BTC)) for _ in range(100)]
        await b.run(0.1)
        await asyncio.gather(*tasks)

        assert [1, 1, 1] == b.calls()


async def test_misses_of_a_short_time_share_a_batch() -> None:
    """Two pairs asked within the window are one call a source."""
    async with bench() as b:
        tasks = [asyncio.create_task(b.engine.answers.quotes([pair])) for pair in (BTC, ETH)]
        await b.run(0.1)
        await asyncio.gather(*tasks)

        assert [[BTC, ETH]] * 3 == [source.calls[0] for source in b.sources]


async def test_one_source_is_enough_where_no_other_is_mapped() -> None:
    """A feed with a single source is served by it."""
    async with bench(settings("kraken")) as b:
        quote = await b.ask(b.engine.answers.quote(BTC))

        assert isinstance(quote, Quote)
        assert (Decimal(103), QuoteStatus.FRESH) == (quote.price, quote.status)


async def test_a_feed_that_no_source_has_is_unknown() -> None:
    """A pair outside of the feeds, and one all sources deny, are both unknown pairs."""
    async with bench() as b:
        for source in b.sources:
            del source.prices[ETH]
        for pair in (SOL, ETH):
            with pytest.raises(UnknownPair):
                await b.ask(b.engine.answers.quote(pair))


async def test_case_is_folded_where_the_source_folds_it() -> None:
    """btc/usd and BTC/USD are one registration and one price."""
    async with bench() as b:
        await b.ask(b.engine.answers.source_quote("kraken", Pair("btc", "usd")))
        await b.engine.answers.source_quote("kraken", BTC)

        assert [[BTC]] == b.sources[2].calls
        assert [BTC] == [state.pair for state in b.engine.status.pairs("kraken")]


async def test_sources_can_be_chosen() -> None:
    """The median over named sources takes only these; an unknown one is refused by name."""
    async with bench() as b:
        quote = await b.ask(b.engine.answers.quote(BTC, sources=["binance", "kraken"]))

        assert Decimal("101.5") == quote.price
        assert Decimal(101) == (await b.ask(b.engine.answers.quote(BTC))).price
        with pytest.raises(InvalidInput, match="okx"):
            await b.engine.answers.quote(BTC, sources=["okx"])


async def test_unknown_and_disabled_sources_are_told_apart() -> None:
    """A configured source that is off is disabled; one that does not exist is unknown; neither registers a pair."""
    config = settings(*NAMES, "okx")
    async with bench(config) as b:
        with pytest.raises(SourceDisabled):
            await b.engine.answers.source_quote("okx", BTC)
        with pytest.raises(UnknownSource):
            await b.engine.answers.source_quote("nope", BTC)

        assert [] == b.engine.status.pairs()
        assert [False] == [state.enabled for state in b.engine.status.sources() if state.name == "okx"]


async def test_batches_answer_each_pair_once_in_order() -> None:
    """Quotes and errors stand in the order of the first mention."""
    async with bench() as b:
        task = asyncio.create_task(b.engine.answers.quotes([ETH, SOL, BTC, ETH]))
        await b.run(0.1)
        results = await task

        assert [(ETH, Quote), (SOL, UnknownPair), (BTC, Quote)] == [(pair, type(result)) for pair, result in results]
