"""Numbered changes for watchers."""

import pytest

from services.supervisor.lifecycle.service_states import State
from services.supervisor.plan.service_spec import Kind
from services.supervisor.state_changes import ServiceStatus, StateChanges


def view(restarts: int) -> ServiceStatus:
    """Return a view that is told from others by its restarts."""
    return ServiceStatus("a", Kind.LONGRUN, State.HEALTHY, 1, restarts, 0, None, None, "", "")


@pytest.mark.parametrize(
    ("after", "expected"), [(5, []), (4, [5]), (2, [3, 4, 5]), (1, None), (0, None), (6, None), (99, None)]
)
def test_after_is_complete_or_refused(after: int, expected: list[int] | None) -> None:
    """A reader gets every change after its number, or is told that it needs a snapshot; never a gap."""
    log = StateChanges(kept=3)
    for number in range(1, 6):
        log.add(view(number))
    found = log.after(after)

    assert expected == (None if found is None else [number for number, _ in found])
    assert found is None or all(number == shown.restarts for number, shown in found)
