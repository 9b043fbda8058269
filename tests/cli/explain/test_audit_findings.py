"""What is found of a feed: values in, findings out."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainlink.contract.aggregator import RoundData
from cli.explain.audit_findings import ZERO_ADDRESS, FeedRead, Finding, Level, Owner, audit

PROXY, BEHIND, OWNER = "0x" + "1" * 40, "0x" + "2" * 40, "0x" + "3" * 40
NOW_S = 1_700_000_000
PHASE = 5 << 64
LATEST = RoundData(PHASE | 812, 6_512_345_000_000, NOW_S - 30, NOW_S - 30, PHASE | 812)
WELL = FeedRead(
    PROXY,
    True,
    NOW_S,
    aggregator=BEHIND,
    proposed=ZERO_ADDRESS,
    latest=LATEST,
    behind=replace(LATEST, round_id=812, answered_in_round=812),
    description="BTC / USD",
    decimals=8,
    decimals_behind=8,
    minimum=1,
    maximum=10**20,
    owner=Owner(OWNER, True),
    owner_behind=Owner(OWNER, True),
    heartbeat_s=3600,
    heartbeat_from="--heartbeat",
)


def bad(feed: FeedRead) -> list[Finding]:
    """Return what is not well."""
    return [finding for finding in audit(feed) if finding.level is not Level.OK]


def test_a_feed_that_is_well_has_nothing_against_it() -> None:
    """Everything is told, and nothing of it is a warning."""
    assert [] == bad(WELL)
    assert {"contract", "description", "decimals", "answer", "age", "round", "proxy", "bounds", "owner"} <= {
        finding.what for finding in audit(WELL)
    }


@pytest.mark.parametrize(
    ("feed", "what", "level", "words"),
    [
        (replace(WELL, has_code=False), "contract", Level.FAULT, "no contract"),
        (replace(WELL, aggregator=ZERO_ADDRESS, behind=None), "contract", Level.FAULT, "a proxy of no aggregator"),
        (replace(WELL, proposed=OWNER), "contract", Level.WARNING, "another aggregator is proposed"),
        (replace(WELL, latest=None, refusal="No access"), "answer", Level.FAULT, "answers nothing: No access"),
        (replace(WELL, description=None), "description", Level.WARNING, "does not say what"),
        (replace(WELL, decimals=None), "decimals", Level.FAULT, "does not say how many"),
        (replace(WELL, decimals_behind=18), "decimals", Level.FAULT, "the proxy says 8, the aggregator 18"),
        (
            replace(WELL, decimals=18, decimals_behind=18),
            "decimals",
            Level.WARNING,
            "18, where feeds of this kind have 8",
        ),
        (
            replace(WELL, block_s=NOW_S + 4000),
            "age",
            Level.FAULT,
            "stale: 4030 s, the heartbeat is 3600 s by --heartbeat",
        ),
        (replace(WELL, block_s=NOW_S - 1000), "age", Level.FAULT, "970 s after the newest block"),
        (replace(WELL, heartbeat_s=None), "age", Level.WARNING, "give --heartbeat"),
        (replace(WELL, minimum=LATEST.answer), "bounds", Level.FAULT, "pinned at the lower bound"),
        (replace(WELL, maximum=LATEST.answer), "bounds", Level.FAULT, "pinned at the upper bound"),
        (replace(WELL, maximum=LATEST.answer + LATEST.answer // 200), "bounds", Level.WARNING, "within 1 % of a bound"),
        (replace(WELL, owner=Owner(OWNER, False)), "owner", Level.WARNING, "one key"),
        (replace(WELL, owner=Owner(ZERO_ADDRESS, False)), "owner", Level.WARNING, "nobody"),
        (replace(WELL, owner=None), "owner", Level.WARNING, "does not say who"),
        (replace(WELL, owner_behind=Owner(OWNER, False)), "owner behind", Level.WARNING, "one key"),
        (replace(WELL, behind=None), "proxy", Level.WARNING, "does not answer who is no consumer"),
    ],
)
def test_what_is_not_well_is_found_alone(feed: FeedRead, what: str, level: Level, words: str) -> None:
    """Each thing that may be wrong is one finding with its words, and none else is found with it."""
    found = bad(feed)

    assert [(what, level)] == [(finding.what, finding.level) for finding in found]
    assert words in found[0].words


@pytest.mark.parametrize(
    ("latest", "what", "words"),
    [
        (
            replace(LATEST, answered_in_round=PHASE | 810),
            "round",
            "carried over: round 812 of phase 5 has the answer of round 810",
        ),
        (replace(LATEST, started_s=NOW_S), "round", "began 30 s after its end"),
        (replace(LATEST, answer=0), "answer", "0.00000000 is no price"),
        (replace(LATEST, answer=-5), "answer", "-0.00000005 is no price"),
        (replace(LATEST, updated_s=0, started_s=0), "answer", "no answer yet"),
    ],
)
def test_an_answer_that_is_none_is_a_fault(latest: RoundData, what: str, words: str) -> None:
    """Of a round that a consumer must not use the fault is named."""
    behind = replace(latest, round_id=812)
    found = [finding for finding in bad(replace(WELL, latest=latest, behind=behind)) if finding.what == what]

    assert [Level.FAULT] == [finding.level for finding in found]
    assert words in found[0].words


def test_a_proxy_that_says_something_else_is_a_fault() -> None:
    """A proxy whose answer is not its aggregator's is found by comparing round, answer and time."""
    assert WELL.behind is not None
    for changed in (
        replace(WELL.behind, answer=1),
        replace(WELL.behind, round_id=811),
        replace(WELL.behind, updated_s=9),
    ):
        assert "proxy" in {
            finding.what for finding in bad(replace(WELL, behind=changed)) if finding.level is Level.FAULT
        }


@given(st.integers(-(2**191), 2**191), st.integers(0, 2**80), st.integers(0, 2**33), st.integers(0, 2**80))
def test_any_round_is_judged(answer: int, round_id: int, updated_s: int, answered: int) -> None:
    """Whatever a contract answers there are findings; an old, carried over or negative answer is never without one."""
    latest = RoundData(round_id, answer, updated_s, updated_s, answered)
    found = audit(replace(WELL, latest=latest, behind=None))
    is_bad = answer <= 1 or answered < round_id or not 0 <= NOW_S - updated_s + 60 <= 3660 or answer >= 10**20

    assert is_bad == any(finding.level is Level.FAULT for finding in found)
