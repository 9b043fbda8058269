import pytest

from meshkit.clock import ManualClock
from services.aggregator.cache.pair_registry import PairRegistry
from services.aggregator.cache.request_counts import RequestCounts
from services.aggregator.prices.errors import TooManyPairs
from services.aggregator.prices.pair import Pair
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
