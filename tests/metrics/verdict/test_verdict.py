from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.metrics.verdict.verdict import ClockSeen, FeedSeen, Limits, Observation, ServiceSeen, SourceSeen, judge

ORACLES = [f"chainlink-node-{index}" for index in range(2, 6)]
LIMITS = Limits(frozenset(ORACLES), longest_age_s=100, start_s=60)
WELL = Observation(
    services=[ServiceSeen(name, "healthy", True) for name in (*ORACLES, "postgres")],
    sources=[SourceSeen("binance", True), SourceSeen("kraken", False)],
    feeds=[FeedSeen("BTC / USD", True, 3.0), FeedSeen("ETH / USD", True, 99.0)],
    trouble={},
)


def _down(*names: str) -> Observation:
    assert WELL.services is not None
    return replace(
        WELL,
        services=[
            replace(service, state="stopped", well=False) if service.name in names else service
            for service in WELL.services
        ],
    )


def test_a_clock_that_is_right_fails_nothing() -> None:
    """That sources tell how far our clock is off is nothing as long as it is not said to be off."""
    assert judge(replace(WELL, clock=ClockSeen(off=False, ahead_ms=900, agreeing=13, timed=13)), LIMITS, 1000).well


def test_all_is_well() -> None:
    """Answers that are young, enough oracles and one source that can be asked are all that is demanded."""
    verdict = judge(WELL, LIMITS, 1000)
    assert (True, "every feed is answered", ()) == (verdict.well, verdict.words, verdict.remarks)


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (
            _down("chainlink-node-3", "chainlink-node-5"),
            "2 of 4 oracles are up, a report needs 3: chainlink-node-3 stopped, chainlink-node-5 stopped",
        ),
        (
            replace(WELL, services=[]),
            "0 of 4 oracles are up, a report needs 3: none is known",
        ),
        (
            replace(WELL, services=None, trouble={"supervisor": "no socket"}),
            "the supervisor gives no answer: no socket",
        ),
        (
            replace(WELL, clock=ClockSeen(off=True, ahead_ms=90_400, agreeing=12, timed=13)),
            "our own clock is 90 s ahead by 12 of 13 timed sources: there are no prices",
        ),
        (
            replace(WELL, clock=ClockSeen(off=True, ahead_ms=-90_400, agreeing=2, timed=2), sources=[]),
            "our own clock is 90 s behind by 2 of 2 timed sources: there are no prices",
        ),
        (replace(WELL, sources=None, trouble={"sources": "hangs"}), "the price aggregator gives no answer: hangs"),
        (
            replace(WELL, sources=[SourceSeen("binance", False), SourceSeen("kraken", False)]),
            "all 2 price sources are away",
        ),
        (replace(WELL, feeds=None, trouble={"chain": "no connection"}), "the chain gives no answer: no connection"),
        (
            replace(WELL, feeds=[FeedSeen("BTC / USD", True, 101.0)]),
            "BTC / USD has had no answer for 101 s, allowed are 100 s",
        ),
        (
            replace(WELL, feeds=[FeedSeen("BTC / USD", True, None)]),
            "BTC / USD has had no answer yet, 61 s after the start",
        ),
        (
            replace(WELL, feeds=[FeedSeen("BTC / USD", False, None)]),
            "BTC / USD is not set up, 61 s after the start",
        ),
    ],
)
def test_a_broken_link_is_named(seen: Observation, words: str) -> None:
    """Each link that can break has its own line."""
    verdict = judge(seen, LIMITS, 61)
    assert (False, words) == (verdict.well, verdict.words)


def test_the_cause_comes_first() -> None:
    """Of several broken links the first of a price's way is told, and how many there are."""
    seen = replace(_down(*ORACLES), feeds=None, trouble={"chain": "away"})
    assert judge(seen, LIMITS, 61).words.startswith("0 of 4 oracles are up")
    assert judge(seen, LIMITS, 61).words.endswith("(and 1 more)")


def test_a_start_is_given_time() -> None:
    """A feed without an answer is no fault until the start has had its time."""
    assert judge(replace(WELL, feeds=[FeedSeen("BTC / USD", False, None)]), LIMITS, 60).well


def test_what_rounds_bear_is_a_remark() -> None:
    """One oracle of four, or a service that rounds do without, fails no check but is told."""
    verdict = judge(_down("chainlink-node-2", "postgres"), LIMITS, 1000)
    assert (True, ("chainlink-node-2 is stopped", "postgres is stopped")) == (verdict.well, verdict.remarks)


@given(st.integers(4, 31), st.data())
def test_quorum(count: int, data: st.DataObject) -> None:
    """With f oracles down a verdict is well, with f + 1 down of n = 3f + 1 it is not."""
    names = [f"chainlink-node-{index}" for index in range(2, 2 + count)]
    faulty = (count - 1) // 3
    down = data.draw(st.integers(0, count))
    seen = replace(
        WELL,
        services=[
            ServiceSeen(name, "healthy" if position >= down else "backoff", position >= down)
            for position, name in enumerate(names)
        ],
    )
    assert (count - down >= 2 * faulty + 1) == judge(seen, replace(LIMITS, oracles=frozenset(names)), 0).well
