"""What is said of each feed."""

from dataclasses import replace
from decimal import Decimal

import pytest

from meshkit.metrics import RPC_METRICS, Registry
from services.metrics.verdict.feed_metrics import FEED_METRICS, STATES, FeedMetrics, gap_bps, state_of
from services.metrics.verdict.verdict import ClockSeen, FeedSeen, Limits, Observation, ServiceSeen, SourceSeen

ORACLES = [f"chainlink-node-{index}" for index in range(2, 6)]
BTC = "BTC / USD"
LIMITS = Limits(frozenset(ORACLES), 100, 60, heartbeats_s={BTC: 90}, deviations_bps={BTC: 50})
FEED = FeedSeen("BTC / USD", True, 10, answer="100", updated_s=1_782_000_000, round_id=7, market="100.5")
CALM = Observation(
    [ServiceSeen(name, "healthy", True) for name in ORACLES],
    [SourceSeen("binance", True)],
    [FEED],
    {},
    ClockSeen(False, 0, 2, 2),
    priced=True,
)


def test_a_feed_is_shown_with_the_gap_to_the_market() -> None:
    """Answer, round, time, price and the signed gap are gauges, its size a histogram that counts each look."""
    registry = Registry((*RPC_METRICS, *FEED_METRICS))
    metrics = FeedMetrics(LIMITS, registry)
    metrics.note(CALM, 0)
    metrics.note(replace(CALM, feeds=[replace(FEED, market="99")]), 5)
    page = registry.render().decode()

    for line in (
        'feedmesh_feed_answer{feed="BTC / USD"} 100.0',
        'feedmesh_feed_answer_timestamp_seconds{feed="BTC / USD"} 1.782e+09',
        'feedmesh_feed_round{feed="BTC / USD"} 7.0',
        'feedmesh_feed_market_price{feed="BTC / USD"} 99.0',
        'feedmesh_feed_gap_bps{feed="BTC / USD"} -100.0',
        'feedmesh_feed_gap_distribution_bps_bucket{feed="BTC / USD",le="50.0"} 1.0',
        'feedmesh_feed_gap_distribution_bps_bucket{feed="BTC / USD",le="100.0"} 2.0',
        'feedmesh_oracles{part="up"} 4.0',
        'feedmesh_oracles{part="needed"} 3.0',
        'feedmesh_feed_heartbeat_seconds{feed="BTC / USD"} 90.0',
        'feedmesh_feed_deviation_bps{feed="BTC / USD"} 50.0',
    ):
        assert f"{line}\n" in page


def test_what_was_seen_stays_while_the_chain_is_away() -> None:
    """The answer is still the last one, and the state says why there is no other; exactly one state is 1."""
    registry = Registry((*RPC_METRICS, *FEED_METRICS))
    metrics = FeedMetrics(LIMITS, registry)
    metrics.note(CALM, 0)
    metrics.note(replace(CALM, feeds=None), 5)
    page = registry.render().decode()

    states = dict(line.rsplit(" ", 1) for line in page.splitlines() if line.startswith("feedmesh_feed_state{"))
    assert {
        f'feedmesh_feed_state{{feed="BTC / USD",state="{state}"}}': str(float(state == "chain_away"))
        for state in STATES
    } == states
    assert 'feedmesh_feed_answer{feed="BTC / USD"} 100.0\n' in page


@pytest.mark.parametrize(
    ("seen", "feed", "state"),
    [
        (CALM, FEED, "fresh"),
        (replace(CALM, clock=ClockSeen(True, 90_000, 2, 2)), FEED, "clock_off"),
        (replace(CALM, feeds=None), FEED, "chain_away"),
        (replace(CALM, services=(CALM.services or [])[:2]), FEED, "too_few_oracles"),
        (CALM, replace(FEED, running=False), "not_set_up"),
        (CALM, replace(FEED, market=None), "no_price"),
        (replace(CALM, sources=None, priced=False), FEED, "no_price"),
        (replace(CALM, priced=False), replace(FEED, market=None), "fresh"),
        (CALM, replace(FEED, age_s=101), "late"),
        (CALM, replace(FEED, age_s=None), "late"),
    ],
)
def test_the_state_is_the_first_thing_that_keeps_back_a_round(seen: Observation, feed: FeedSeen, state: str) -> None:
    """Each link on a price's way has its own state, and a later one does not hide it."""
    assert state == state_of(feed, seen, LIMITS, 61)
    assert state in STATES


def test_a_feed_may_have_a_heartbeat_of_its_own() -> None:
    """Its answer is late by that, and not by the one of all."""
    limits = replace(LIMITS, longest_ages_s={BTC: 20})

    assert ("fresh", "late") == (
        state_of(replace(FEED, age_s=20), CALM, limits, 61),
        state_of(replace(FEED, age_s=21), CALM, limits, 61),
    )


def test_a_young_feed_may_wait_for_its_first_answer() -> None:
    """Before the time that a start may take it is not late."""
    assert "fresh" == state_of(replace(FEED, age_s=None), CALM, LIMITS, 59)


@pytest.mark.parametrize(
    ("answer", "market", "gap"),
    [("100", "101", "100"), ("100", None, None), (None, "1", None), ("0", "1", None), ("-2", "-1", "-5000")],
)
def test_the_gap_needs_both_prices(answer: str | None, market: str | None, gap: str | None) -> None:
    """It is relative to the answer; without one of the two, and for an answer of nothing, there is none."""
    assert (None if gap is None else Decimal(gap)) == gap_bps(replace(FEED, answer=answer, market=market))
