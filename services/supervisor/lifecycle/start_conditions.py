"""Whether a service may be started now."""

from collections.abc import Mapping

from services.supervisor.lifecycle.service_states import COMING_UP, UP, State
from services.supervisor.plan.service_spec import Condition, Dependency, ServiceSpec


def holds(condition: Condition, state: State) -> bool:
    """Tell whether a service in this state meets the condition."""
    match condition:
        case Condition.STARTED:
            return state in UP or state is State.COMPLETED
        case Condition.HEALTHY:
            return state is State.HEALTHY
        case Condition.COMPLETED:
            return state is State.COMPLETED


def blocking(spec: ServiceSpec, states: Mapping[str, State], *, again: bool) -> Dependency | None:
    """
    Return the first edge that keeps a service from being started now, or None.

    A first start needs every condition. A start again (after a crash, or by hand) waits only for dependencies that
    are on their way up, since one that was stopped on purpose may stay down for ever.
    """
    for edge in spec.needs:
        state = states[edge.name]
        if not holds(edge.condition, state) and (not again or state in COMING_UP):
            return edge
    return None
