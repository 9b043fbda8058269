from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from meshkit.clock import ManualClock
from services.aggregator.cache.request_counts import RequestCount, RequestCounts
from services.aggregator.prices.feed_price import quote_of
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Quote, SourceQuote
from tests.aggregator.fakes import BTC, ETH


def price(source: str, pair: Pair = BTC) -> SourceQuote:
    """Return a price of a source."""
    return SourceQuote(source, pair, Decimal(1), 0, 9.0)


def quote(*sources: str) -> Quote:
    """Return a quote made of these sources' prices."""
    return quote_of(BTC, [price(source) for source in sources], len(sources))


def test_a_request_counts_for_each_price_it_was_answered_with() -> None:
    """A feed's quote counts for all of its sources, a source's price for one; look-ups count beside them."""
    counts = RequestCounts(ManualClock())
    feed, source = counts.open(quote("binance", "kraken")), counts.open(price("kraken", ETH))
    feed.requests += 2
    source.requests += 3
    counts.hit("kraken")
    counts.miss("okx")

    assert {"binance": 2, "kraken": 6} == counts.hits()
    assert {"okx": 1} == counts.misses()
    assert {"binance": 2, "kraken": 6} == counts.hits()


def test_pairs_asked_for_are_told_once_with_the_moment() -> None:
    """What was asked for since the last time is told; nothing where there was no request."""
    clock = ManualClock()
    counts = RequestCounts(clock)
    count = counts.open(price("kraken"))

    assert {} == counts.take_requested()

    count.requests += 1
    clock.advance(5)

    assert {("kraken", BTC): 5.0} == counts.take_requested()
    assert {} == counts.take_requested()


def test_a_closed_count_is_told_with_the_moment_it_was_closed() -> None:
    """A quote that is no longer answered with was asked for when it ended, not when somebody looks."""
    clock = ManualClock()
    counts = RequestCounts(clock)
    count = counts.open(price("kraken"))
    count.requests += 1
    counts.close(count)
    clock.advance(60)

    assert ({"kraken": 1}, {("kraken", BTC): 0.0}) == (counts.hits(), counts.take_requested())


def test_a_batch_counts_for_quotes_that_have_ended_meanwhile() -> None:
    """Requests of a batch go to its quotes, whether these or the batch end first."""
    counts = RequestCounts(ManualClock())
    parts = [counts.open(price(source)) for source in ("binance", "kraken")]
    batch = counts.open_batch(parts)
    batch.requests += 1
    counts.close(parts[0])
    batch.requests += 1
    counts.close(batch)
    parts[1].requests += 1

    assert {"binance": 2, "kraken": 3} == counts.hits()


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("request"), st.integers(0, 5)),
            st.tuples(st.just("close"), st.integers(0, 5)),
            st.tuples(st.just("look"), st.just(0)),
        ),
        max_size=60,
    )
)
def test_no_request_is_lost_or_counted_twice(steps: list[tuple[str, int]]) -> None:
    """Whenever counts are closed and looked at, each request counts once for each of its quotes."""
    counts = RequestCounts(ManualClock())
    quotes = [counts.open(price(source)) for source in "abcd"]
    batches = [counts.open_batch(quotes[:2]), counts.open_batch(quotes[1:])]
    names = {0: "a", 1: "b", 2: "c", 3: "d", 4: "ab", 5: "bcd"}
    everything: dict[int, RequestCount] = dict(enumerate([*quotes, *batches]))
    expected = dict.fromkeys("abcd", 0)
    for step, number in steps:
        match step:
            case "request" if number in everything:
                everything[number].requests += 1
                for name in names[number]:
                    expected[name] += 1
            case "close" if number in everything:
                counts.close(everything.pop(number))
            case "look":
                counts.hits()

    assert expected == {name: counts.hits().get(name, 0) for name in "abcd"}
