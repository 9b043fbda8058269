"""The quotes that are answered with as they stand."""

from services.aggregator.engine.ready_quotes import DEGRADED_S, ReadyQuote, ReadyQuotes
from services.aggregator.prices.errors import ProviderFault, SourceRateLimited
from services.aggregator.prices.pair import Pair
from tests.aggregator.cache.making import MadeCache
from tests.aggregator.fakes import BTC, NAMES, settings


class Ready:
    """Ready quotes before a cache."""

    def __init__(self, *names: str) -> None:
        self.made = MadeCache(settings(*names, refetch=False))
        self.made.pin(BTC)
        cache = self.made.cache
        self.quotes = ReadyQuotes(
            cache.feeds,
            self.made.clock,
            current=cache.current,
            streamed_feeds=cache.streamed_feeds,
            failures=cache.failures,
            requests=cache.requests,
        )

    def get(self, feed: Pair = BTC) -> ReadyQuote | None:
        """Ask for a quote now."""
        return self.quotes.get(feed, self.made.clock.monotonic())


def test_a_fresh_quote_is_ready_until_its_first_price_ends() -> None:
    """It is the same one for each request, and gone at the very moment."""
    ready = Ready("kraken")
    ready.made.fetched("kraken", "100")
    first = ready.get()
    ready.made.clock.advance(9.999)

    assert first is not None
    assert first is ready.get()
    assert 10.0 == first.until

    ready.made.clock.advance(0.001)

    assert ready.get() is None


def test_another_quote_takes_its_place_and_its_requests_are_counted() -> None:
    """Each price has the requests that were answered with it."""
    ready = Ready("kraken")
    for price, requests in (("100", 2), ("101", 3)):
        ready.made.fetched("kraken", price)
        for _ in range(requests):
            found = ready.get()
            assert found is not None
            assert price == str(found.quote.price)
            found.count.requests += 1

    assert {"kraken": 5} == ready.made.cache.requests.hits()


def test_nothing_is_ready_where_there_is_no_quote() -> None:
    """Neither before the first one, nor of a feed that nobody knows, nor with an error."""
    ready = Ready(*NAMES)

    assert (None, None) == (ready.get(), ready.get(Pair("SOL", "USD")))


def test_a_degraded_quote_is_ready_while_nobody_could_complete_it() -> None:
    """Whether a missing source may be asked again is looked at ten times a second; it is one quote all that time."""
    ready = Ready(*NAMES)
    ready.made.fetched("binance", "100")
    ready.made.fetched("kraken", "100")

    assert ready.get() is None

    ready.made.fetched("coinbase", SourceRateLimited("coinbase", 1_000))
    first = ready.get()
    ready.made.clock.advance(DEGRADED_S)

    assert first is not None
    assert first is ready.get()
    assert 2 * DEGRADED_S == first.until

    ready.made.clock.advance(1)

    assert ready.get() is None


def test_a_source_that_was_left_out_is_not_missing() -> None:
    """An outlier has answered: asking it again at once would not complete the quote."""
    ready = Ready(*NAMES, "okx")
    for source in NAMES:
        ready.made.fetched(source, "100")
    ready.made.fetched("okx", "150")

    found = ready.get()

    assert found is not None
    assert list(NAMES) == [used.source for used in found.quote.sources]


def test_the_version_grows_with_each_quote() -> None:
    """Also with one that changes nothing but times, since a batch holds its texts."""
    ready = Ready("kraken")
    versions = [ready.quotes.version]
    for _ in range(2):
        ready.made.fetched("kraken", "100")
        versions.append(ready.quotes.version)
    ready.made.fetched("kraken", ProviderFault("kraken", "down"))

    assert versions[0] < versions[1] < versions[2] == ready.quotes.version
