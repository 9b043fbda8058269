"""What follows when a process has ended by itself."""

import signal
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.supervisor.lifecycle.restart_policy import (
    Complete,
    GiveUp,
    RestartAfter,
    decide,
    describe_exit,
    exit_status,
)
from services.supervisor.plan.service_spec import Kind, RestartPolicy

CODES = st.integers(-64, 255)


@given(st.integers(0, 10), CODES, st.integers(0, 2**32))
def test_a_crash_loop_is_restarted_exactly_as_often_as_allowed(most: int, code: int, seed: int) -> None:
    """A longrun that never gets healthy is restarted max_restarts times and then given up with a non-zero status."""
    policy, crashes, restarts, random = RestartPolicy(max_restarts=most), tuple[float, ...](), 0, Random(seed)
    while isinstance(decision := decide(policy, Kind.LONGRUN, code, 0, crashes, restarts, random), RestartAfter):
        restarts, crashes = restarts + 1, decision.crashes

    assert most == restarts
    assert GiveUp(exit_status(code) or 1) == decision


@given(st.integers(1, 60), st.floats(0, 1), st.integers(0, 2**32))
def test_delays_double_up_to_the_cap(spent: int, jitter: float, seed: int) -> None:
    """The n-th delay is within its jitter of first·2ⁿ⁻¹ or of the cap."""
    policy = RestartPolicy(max_restarts=100, jitter=jitter)
    decision = decide(policy, Kind.LONGRUN, 1, 0, range(spent), spent, Random(seed))
    expected_s = min(policy.first_delay_s * 2**spent, policy.cap_s)

    assert isinstance(decision, RestartAfter)
    assert decision.delay_s == pytest.approx(expected_s, rel=jitter + 1e-9)


@given(st.integers(0, 3), CODES)
def test_a_stable_time_restores_the_budget(spent: int, code: int) -> None:
    """A process that was healthy long enough counts as the first to crash, whatever happened before."""
    policy = RestartPolicy(jitter=0)
    decision = decide(policy, Kind.LONGRUN, code, policy.stable_s, [99.0] * spent, 100, Random(0))

    assert RestartAfter(policy.first_delay_s, (100,)) == decision


@given(st.lists(st.floats(0, 2000), max_size=12), CODES)
def test_only_crashes_within_the_window_count(crashes: list[float], code: int) -> None:
    """What lies further back than the window neither spends the budget nor lengthens the delay."""
    policy, now = RestartPolicy(window_s=600, jitter=0), 2000.0
    counted = [at for at in crashes if at > now - 600]
    decision = decide(policy, Kind.LONGRUN, code, 0, crashes, now, Random(0))

    assert isinstance(decision, GiveUp) == (len(counted) >= policy.max_restarts)
    assert isinstance(decision, GiveUp) or RestartAfter(0.1 * 2 ** len(counted), (*counted, now)) == decision


def test_a_oneshot_ends_well_with_code_0() -> None:
    """Only a oneshot can be completed, and only by exit code 0."""
    policy = RestartPolicy()

    assert Complete() == decide(policy, Kind.ONESHOT, 0, 0, (), 0, Random(0))
    assert isinstance(decide(policy, Kind.ONESHOT, 1, 0, (), 0, Random(0)), RestartAfter)
    assert isinstance(decide(policy, Kind.LONGRUN, 0, 0, (), 0, Random(0)), RestartAfter)


@pytest.mark.parametrize(
    ("code", "status", "words"),
    [(0, 0, "exit 0"), (7, 7, "exit 7"), (-signal.SIGKILL, 137, "signal SIGKILL"), (-63, 191, "signal 63")],
)
def test_exits_are_told_as_a_shell_does(code: int, status: int, words: str) -> None:
    """A signal's status is 128 + its number."""
    assert (status, words) == (exit_status(code), describe_exit(code))
