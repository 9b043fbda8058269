"""The metrics that are known only by looking at the engine."""

from collections.abc import Mapping, Sequence

from services.aggregator.prices.errors import ProviderFault
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.sources.source import UNLIMITED, RateLimiter, TickOutcome
from tests.aggregator.bench import bench
from tests.aggregator.fakes import BTC, ETH, NAMES, settings


async def test_shares_and_ages_are_those_of_the_moment() -> None:
    """A rate of refreshes counts failed ones, ages follow the clock, and what is gone has no age."""
    config = settings("kraken", pinned=(BTC, ETH))
    async with bench(config) as b:
        await b.run(0.1)
        received_ms = min(state.quote.received_ms for state in b.engine.status.pairs() if state.quote is not None)
        await b.run(2)

        assert (b.clock.time_ms() - received_ms) / 1000 == b.counted('quote_age_seconds{source="kraken"}')
        assert 2 == b.counted('cache_entries_total{source="kraken"}')

        await b.run(8)

        assert 1 == b.counted('prefetch_success_rate{source="kraken"}')

        b.sources[0].failure = ProviderFault("kraken", "down")
        await b.run(25)
        page = b.metrics.render().decode()
        rate = b.counted('prefetch_success_rate{source="kraken"}')

        assert 0 < rate < 1
        assert 0 == b.counted('cache_entries_total{source="kraken"}') == b.counted('feed_sources{feed="BTC/USD"}')
        assert 2 == b.counted('cache_stale_entries{source="kraken"}')
        assert 0 < b.counted('source_circuit_state{source="kraken"}')
        assert "quote_age_seconds{" not in page
        assert "feed_age_seconds{" not in page


async def test_an_age_is_that_of_the_price_not_of_its_arrival() -> None:
    """A source that answers with an old price again and again has a growing age, as its own time says."""
    async with bench(settings("kraken")) as b:
        taken_ms = b.clock.time_ms() - 60_000

        async def fetch(pairs: Sequence[Pair], _limiter: RateLimiter = UNLIMITED) -> Mapping[Pair, TickOutcome]:
            return dict.fromkeys(pairs, Tick("103", taken_ms))

        b.sources[0].fetch = fetch  # type: ignore[method-assign]
        await b.ask(b.engine.answers.source_quote("kraken", BTC))
        for _ in range(3):
            await b.run(10)

            assert (b.clock.time_ms() - taken_ms) / 1000 == b.counted('quote_age_seconds{source="kraken"}')


async def test_a_score_is_the_share_of_feeds_in_which_a_source_counts() -> None:
    """One that is far off in one of two feeds has half; one that is away has none; without prices nobody has any."""
    async with bench(settings(pinned=(BTC, ETH))) as b:
        sources = dict(zip(NAMES, b.sources, strict=True))
        kraken = sources.pop("kraken")
        await b.run(0.5)

        assert {1.0} == {b.counted(f'source_score{{source="{name}"}}') for name in NAMES}

        kraken.prices[BTC] = "190"
        await b.run(15)

        assert 0.5 == b.counted('source_score{source="kraken"}')
        assert {1.0} == {b.counted(f'source_score{{source="{name}"}}') for name in sources}

        kraken.failure = ProviderFault("kraken", "down")
        await b.run(15)

        assert 'source_score{source="kraken"} 0.0' in b.metrics.render().decode()

        for name, source in sources.items():
            source.failure = ProviderFault(name, "down")
        await b.run(25)

        assert "source_score{" not in b.metrics.render().decode()
