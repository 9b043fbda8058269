from decimal import Decimal

import pytest

from meshkit.clock import ManualClock
from services.aggregator.cache.pair_registry import PairRegistry
from services.aggregator.cache.request_counts import RequestCounts
from services.aggregator.prices.errors import TooManyPairs
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import SourceQuote
from tests.aggregator.fakes import BTC, ETH


def test_a_full_registry_refuses_new_pairs_only() -> None:
    """A new pair is refused with a wait; one that is registered is renewed, and a removed one makes room."""
    registry = PairRegistry(ManualClock(), 1, 500, RequestCounts(ManualClock()))
    registry.touch("kraken", BTC)
    registry.touch("kraken", BTC)
    with pytest.raises(TooManyPairs) as caught:
        registry.touch("kraken", ETH)

    assert 500 == caught.value.retry_after_ms

    registry.remove("kraken", BTC)
    registry.touch("kraken", ETH)

    assert 1 == len(registry)


def test_idle_pairs_are_found_and_pinned_ones_never() -> None:
    """A pair is idle when its last request is at least the given time ago."""
    clock = ManualClock()
    registry = PairRegistry(clock, 10, 500, RequestCounts(ManualClock()))
    registry.pin("kraken", ETH)
    registry.touch("kraken", BTC)
    clock.advance(60)

    assert [BTC] == [entry.pair for entry in registry.inactive(60)]

    registry.touch("kraken", BTC)

    assert [] == registry.inactive(60)


def test_pairs_fetched_longest_ago_come_first() -> None:
    """Never fetched ones lead, excluded and ineligible ones are left out, and the room is kept."""
    clock = ManualClock()
    registry = PairRegistry(clock, 10, 500, RequestCounts(ManualClock()))
    pairs = [Pair(name, "USD") for name in "ABCDE"]
    for age, pair in enumerate(pairs):
        registry.touch("kraken", pair).last_fetch_at = float(-age)
    found = registry.fetched_longest_ago("kraken", 2, {pairs[4]}, lambda entry: entry.pair != pairs[3])

    assert [pairs[2], pairs[1]] == found


def test_pairs_of_a_source_are_listed_in_order() -> None:
    """Sources are apart, and the order is that of base and quote."""
    registry = PairRegistry(ManualClock(), 10, 500, RequestCounts(ManualClock()))
    for source, pair in (("kraken", ETH), ("kraken", BTC), ("binance", ETH)):
        registry.touch(source, pair)

    assert [BTC, ETH] == [entry.pair for entry in registry.of_source("kraken")]


def test_requests_for_kept_quotes_keep_pairs_registered() -> None:
    """What was answered without asking the registry counts as a request, with its time; of a forgotten pair nothing."""
    clock = ManualClock(1_000_000)
    counts = RequestCounts(clock)
    registry = PairRegistry(clock, 10, 500, counts)
    for pair in (BTC, ETH):
        registry.touch("kraken", pair)
    kept = counts.open(SourceQuote("kraken", BTC, Decimal(1), 0, 99.0))
    gone = counts.open(SourceQuote("kraken", Pair("SOL", "USD"), Decimal(1), 0, 99.0))
    clock.advance(50)
    kept.requests += 1
    gone.requests += 1
    counts.close(kept)
    clock.advance(10)

    assert [ETH] == [entry.pair for entry in registry.inactive(60)]
    assert [(BTC, 1_050_000), (ETH, 1_000_000)] == [
        (entry.pair, entry.last_request_ms) for entry in registry.of_source("kraken")
    ]


def test_who_watches_hears_of_each_change() -> None:
    """A new pair and a removed one are changes of their source, a renewed one is none."""
    registry = PairRegistry(ManualClock(), 10, 500, RequestCounts(ManualClock()))
    heard: list[str] = []
    registry.on_change(heard.append)
    registry.touch("kraken", BTC)
    registry.touch("kraken", BTC)
    registry.pin("okx", BTC)
    registry.remove("kraken", BTC)
    registry.remove("kraken", BTC)

    assert ["kraken", "okx", "kraken"] == heard
    assert ([], [BTC], 1) == (registry.pairs("kraken"), registry.pairs("okx"), registry.count_of("okx"))


def test_the_last_fetch_is_that_of_registered_pairs() -> None:
    """Marking a pair that is not registered is nothing."""
    clock = ManualClock()
    registry = PairRegistry(clock, 10, 500, RequestCounts(clock))
    entry = registry.touch("kraken", BTC)
    clock.advance(5)
    registry.mark_fetched("kraken", BTC)
    registry.mark_fetched("kraken", ETH)

    assert (5.0, 1) == (entry.last_fetch_at, len(registry))
