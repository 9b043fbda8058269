"""The numbered changes of the services, for watchers that come, go and come back."""

from collections import deque
from dataclasses import dataclass
from typing import Final

from services.supervisor.lifecycle.service_states import State
from services.supervisor.notifier import Notifier
from services.supervisor.plan.service_spec import Kind

_KEPT: Final = 4096


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """
    What is shown of a service; times are milliseconds since the Unix epoch, None where there is none.

    `removed`: it is no longer in the plan, and its process is gone. `runtime` names a node's program.
    """

    name: str
    kind: Kind
    state: State
    pid: int
    restarts: int
    hangs: int
    start_time_ms: int | None
    last_restart_time_ms: int | None
    last_exit: str
    message: str
    removed: bool = False
    runtime: str = ""


class StateChanges:
    """
    The last changes, numbered from 1 without gaps.

    A reader asks for what came after its own number; it is told when that is no longer kept, or when the number is
    of another supervisor's life.
    """

    def __init__(self, kept: int = _KEPT) -> None:
        self._statuses: deque[ServiceStatus] = deque(maxlen=kept)
        self.last_sequence = 0
        self.changed: Final = Notifier()

    def add(self, status: ServiceStatus) -> None:
        """Give the change its number and wake the readers."""
        self.last_sequence += 1
        self._statuses.append(status)
        self.changed.notify()

    def after(self, sequence: int) -> list[tuple[int, ServiceStatus]] | None:
        """Return the changes after this number, oldest first, or None if the reader needs a snapshot."""
        missing = self.last_sequence - sequence
        if missing < 0 or missing > len(self._statuses):
            return None
        first = len(self._statuses) - missing
        return [(sequence + 1 + index, self._statuses[first + index]) for index in range(missing)]
