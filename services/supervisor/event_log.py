"""The numbered changes of the services, for watchers that come, go and come back."""

from collections import deque
from dataclasses import dataclass
from typing import Final

from services.supervisor.notifier import Pulse
from services.supervisor.plan.service_states import Kind, State

_KEPT: Final = 4096


@dataclass(frozen=True, slots=True)
class View:
    """What is shown of a service; times are milliseconds since the Unix epoch, None where there is none."""

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


class EventLog:
    """
    The last changes, numbered from 1 without gaps.

    A reader asks for what came after its own number; it is told when that is no longer kept, or when the number is
    of another supervisor's life.
    """

    def __init__(self, kept: int = _KEPT) -> None:
        self._views: deque[View] = deque(maxlen=kept)
        self.last_sequence = 0
        self.changed: Final = Pulse()

    def add(self, view: View) -> None:
        """Give the change its number and wake the readers."""
        self.last_sequence += 1
        self._views.append(view)
        self.changed.beat()

    def after(self, sequence: int) -> list[tuple[int, View]] | None:
        """Return the changes after this number, oldest first, or None if the reader needs a snapshot."""
        missing = self.last_sequence - sequence
        if missing < 0 or missing > len(self._views):
            return None
        first = len(self._views) - missing
        return [(sequence + 1 + index, self._views[first + index]) for index in range(missing)]
