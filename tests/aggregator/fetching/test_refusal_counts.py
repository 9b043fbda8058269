"""Refusals are counted by reason, by source and by pair, with the last one's time, pair and words."""

from meshkit.clock import ManualClock
from services.aggregator.fetching.refusal_counts import Refusals
from services.aggregator.prices.errors import MarketHalted, PriceRefused, ProviderFault
from tests.aggregator.fakes import BTC, ETH


def test_each_reason_is_counted_with_its_last_time() -> None:
    """Of a source all pairs count together; a price's rules are reasons of their own, and the latest is first."""
    clock = ManualClock(1_000)
    refusals = Refusals(clock, most_pairs=10)
    refusals.note("kraken", BTC, PriceRefused("kraken", BTC, "1", "it leapt", rule="jump"))
    clock.advance(1)
    refusals.note("kraken", ETH, PriceRefused("kraken", ETH, "2", "it leapt far", rule="jump"))
    refusals.note("kraken", BTC, PriceRefused("kraken", BTC, "1", "it is old", rule="age"))
    clock.advance(1)
    refusals.note("kraken", BTC, MarketHalted("kraken", BTC, "BREAK"))
    refusals.note("okx", BTC, ProviderFault("okx", "down"))

    assert [
        ("MARKET_HALTED", "halted", 1, 3_000, BTC),
        ("PRICE_REFUSED", "age", 1, 2_000, BTC),
        ("PRICE_REFUSED", "jump", 2, 2_000, ETH),
    ] == [(each.reason, each.rule, each.count, each.last_ms, each.pair) for each in refusals.of_source("kraken")]
    assert "it leapt far" in refusals.of_source("kraken")[2].message
    assert [("PRICE_REFUSED", 1, 2_000)] == [
        (each.reason, each.count, each.last_ms) for each in refusals.of_pair("kraken", ETH)
    ]
    assert [("PROVIDER_FAULT", "")] == [(each.reason, each.rule) for each in refusals.of_source("okx")]
    assert [] == refusals.of_source("nope") == refusals.of_pair("okx", ETH)


def test_pairs_that_nobody_hears_of_any_more_are_forgotten() -> None:
    """Whatever is asked, the memory is bounded; the source's own count stays."""
    refusals = Refusals(ManualClock(), most_pairs=1)
    for pair in (BTC, ETH):
        refusals.note("okx", pair, ProviderFault("okx", "down"))

    assert [] == refusals.of_pair("okx", BTC)
    assert [2] == [each.count for each in refusals.of_source("okx")]


def test_a_pair_is_forgotten_by_itself() -> None:
    """Why a pair that was dropped had no price is forgotten with it; other pairs and the source's count stay."""
    refusals = Refusals(ManualClock(), most_pairs=10)
    for pair in (BTC, ETH):
        refusals.note("okx", pair, ProviderFault("okx", "down"))
    refusals.forget("okx", BTC)
    refusals.forget("okx", BTC)

    assert [] == refusals.of_pair("okx", BTC)
    assert [1] == [each.count for each in refusals.of_pair("okx", ETH)]
    assert [2] == [each.count for each in refusals.of_source("okx")]
