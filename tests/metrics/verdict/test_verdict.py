from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.metrics.verdict.verdict import (
    ClockSeen,
    FeedSeen,
    Limits,
    Link,
    LinkName,
    LinkState,
    MoneySeen,
    Observation,
    OracleSeen,
    ServiceSeen,
    SourceSeen,
    Verdict,
    judge,
)

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


def _link(verdict: Verdict, name: LinkName) -> Link:
    return next(link for link in verdict.links if link.name is name)


def test_every_link_is_told_in_order() -> None:
    """A verdict has all links in the order of a price's way, each with what was found, well ones too."""
    verdict = judge(WELL, LIMITS, 1000)
    assert list(LinkName) == [link.name for link in verdict.links]
    assert all(link.words for link in verdict.links)
    assert {LinkState.WELL, LinkState.UNKNOWN} == {link.state for link in verdict.links}


def test_transmitters_without_money_break_the_mesh_only_together() -> None:
    """While one transmitter can pay, the others are a remark; when none can, no answer can come any more."""
    rich, poor = MoneySeen("node-2", 10, 5), MoneySeen("node-3", 4, 5)
    some = judge(replace(WELL, money=[rich, poor]), LIMITS, 1000)
    none = judge(replace(WELL, money=[poor]), LIMITS, 1000)

    assert (True, ("node-3 has 4 wei, a transmission costs 5",)) == (some.well, some.remarks)
    assert (False, "none of the 1 transmitters can pay a transmission, which costs 5 wei") == (none.well, none.words)
    assert LinkState.BROKEN is _link(none, LinkName.MONEY).state


def test_oracles_that_observe_nothing_are_the_cause_of_an_old_answer() -> None:
    """A feed that too few observe is told before its age; while its answer is young that is only a remark."""
    jobs = [OracleSeen(name, "BTC / USD", "observation failed: timed out") for name in ORACLES[:2]]
    jobs += [OracleSeen(name, "BTC / USD", "") for name in ORACLES[2:]]
    young = judge(replace(WELL, jobs=jobs), LIMITS, 1000)
    old = judge(replace(WELL, jobs=jobs, feeds=[FeedSeen("BTC / USD", True, 101.0)]), LIMITS, 1000)

    assert young.well
    assert young.remarks[0].startswith("BTC / USD has 2 oracles that observe, a report needs 3: chainlink-node-2:")
    assert old.words.startswith("BTC / USD has 2 oracles that observe, a report needs 3")
    assert old.words.endswith("(and 1 more)")


def test_one_oracle_that_does_not_observe_is_borne() -> None:
    """One oracle of four whose observations fail is a remark, also while the answer is old for another reason."""
    jobs = [OracleSeen(ORACLES[0], "BTC / USD", "observation failed: timed out")]
    verdict = judge(replace(WELL, jobs=jobs, feeds=[FeedSeen("BTC / USD", True, 101.0)]), LIMITS, 1000)

    assert verdict.words.startswith("BTC / USD has had no answer for 101 s")
    assert ("BTC / USD at chainlink-node-2: observation failed: timed out",) == verdict.remarks


def test_what_nobody_tells_is_unknown_and_breaks_nothing() -> None:
    """Without the operator the chain's link is broken, and money and age are unknown, not broken too."""
    verdict = judge(replace(WELL, feeds=None, money=None, trouble={"chain": "away", "money": "away"}), LIMITS, 1000)

    assert ("the chain gives no answer: away",) == verdict.broken
    assert {LinkState.UNKNOWN} == {_link(verdict, name).state for name in (LinkName.MONEY, LinkName.AGE)}
