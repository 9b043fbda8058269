import pytest

from services.metrics.verdict.last_answers import KEPT_S, LastAnswers
from services.metrics.verdict.verdict import (
    ClockSeen,
    FeedSeen,
    Limits,
    MoneySeen,
    Observation,
    ServiceSeen,
    SourceSeen,
    judge,
)

_LIMITS = Limits(frozenset(f"chainlink-node-{index}" for index in range(2, 6)), longest_age_s=30, start_s=60)
_ORACLES = [ServiceSeen(name, "healthy", True) for name in sorted(_LIMITS.oracles)]


def _seen(operator: str = "healthy", aggregator: str = "healthy", age_s: float = 5) -> Observation:
    """Return what is seen with the two services in these states; one that is not healthy gives no answer."""
    services = [
        *_ORACLES,
        ServiceSeen("operator", operator, operator == "healthy"),
        ServiceSeen("price-aggregator", aggregator, aggregator == "healthy"),
    ]
    chain, prices = operator == "healthy", aggregator == "healthy"
    return Observation(
        services,
        [SourceSeen("kraken", True)] if prices else None,
        [FeedSeen("BTC / USD", True, age_s)] if chain else None,
        {},
        clock=ClockSeen(False, 0, 0, 0) if prices else None,
        money=[MoneySeen("chainlink-node-2", 10, 1)] if chain else None,
        priced=prices,
    )


@pytest.mark.parametrize("state", ["pending", "starting", "backoff"])
def test_a_restart_of_the_operator_breaks_no_link(state: str) -> None:
    """While it comes back its last answer counts, and is told as a remark; the feeds grow older meanwhile."""
    answers = LastAnswers()
    answers.fill(_seen(), 100)
    filled = answers.fill(_seen(operator=state), 104)
    assert [FeedSeen("BTC / USD", True, 9.0)] == filled.feeds
    verdict = judge(filled, _LIMITS, 104)
    assert ((), (f"operator is {state}",)) == (verdict.broken, verdict.remarks)


def test_a_restart_of_the_aggregator_breaks_no_link() -> None:
    """Its sources and what it said of our own clock stay for that moment."""
    answers = LastAnswers()
    answers.fill(_seen(), 100)
    filled = answers.fill(_seen(aggregator="starting"), 104)
    assert ([SourceSeen("kraken", True)], False) == (filled.sources, filled.priced)
    assert () == judge(filled, _LIMITS, 104).broken


def test_an_answer_that_grows_too_old_meanwhile_is_told() -> None:
    """What is filled in hides no feed that is late by the time that has passed."""
    answers = LastAnswers()
    answers.fill(_seen(age_s=25), 100)
    verdict = judge(answers.fill(_seen(operator="starting"), 110), _LIMITS, 110)
    assert ("BTC / USD has had no answer for 35 s, allowed are 30 s",) == verdict.broken


@pytest.mark.parametrize(
    ("state", "then_s"),
    [("starting", 100 + KEPT_S + 0.1), ("failed", 101), ("stopped", 101), ("skipped", 101), ("unhealthy", 101)],
)
def test_a_service_that_does_not_come_back_is_the_finding(state: str, then_s: float) -> None:
    """After the time that a restart takes, and where nobody restarts it, its silence breaks the links."""
    answers = LastAnswers()
    answers.fill(_seen(), 100)
    verdict = judge(answers.fill(_seen(operator=state, aggregator=state), then_s), _LIMITS, then_s)
    assert (
        "the price aggregator gives no answer: unknown",
        f"the operator is {state}: nobody tells how the chain is",
    ) == verdict.broken


def test_silence_of_a_healthy_service_is_the_finding() -> None:
    """A service that is up and gives no answer is not helped out."""
    answers = LastAnswers()
    answers.fill(_seen(), 100)
    silent = Observation(_seen().services, None, None, {"chain": "deadline"})
    assert 2 == len(judge(answers.fill(silent, 101), _LIMITS, 101).broken)


def test_nothing_is_filled_in_before_a_first_answer() -> None:
    """At a start there is no verdict that all is well before everything has answered."""
    assert 2 == len(judge(LastAnswers().fill(_seen("starting", "starting"), 1), _LIMITS, 1).broken)
