"""Whether a service may be started now."""

import pytest

from services.supervisor.lifecycle.service_states import State
from services.supervisor.lifecycle.start_conditions import blocking, holds
from services.supervisor.plan.service_spec import Condition
from tests.supervisor.fakes import healthy, sleeper


@pytest.mark.parametrize(
    ("condition", "states"),
    [
        (Condition.STARTED, {State.STARTING, State.HEALTHY, State.UNHEALTHY, State.COMPLETED}),
        (Condition.HEALTHY, {State.HEALTHY}),
        (Condition.COMPLETED, {State.COMPLETED}),
    ],
)
def test_states_that_meet_a_condition(condition: Condition, states: set[State]) -> None:
    """A condition holds in exactly these states."""
    assert states == {state for state in State if holds(condition, state)}


@pytest.mark.parametrize("state", State)
def test_a_start_again_waits_only_for_what_is_coming_up(state: State) -> None:
    """A dependency that was stopped or given up blocks a first start, but not a later one."""
    spec = sleeper("a", healthy("b"))
    coming = state in {State.PENDING, State.STARTING, State.BACKOFF, State.STOPPING}

    assert (state is not State.HEALTHY) == (blocking(spec, {"b": state}, again=False) is not None)
    assert coming == (blocking(spec, {"b": state}, again=True) is not None)
