"""One service as the state machine knows it."""

from dataclasses import dataclass

from services.supervisor.lifecycle.service_states import State
from services.supervisor.plan.service_spec import ServiceSpec


@dataclass(slots=True)
class ManagedService:
    """A service as it is now. `run` counts its processes, `restarts` those that replaced a crashed one."""

    spec: ServiceSpec
    state: State = State.PENDING
    alive: bool = False
    run: int = 0
    restarts: int = 0
    hangs: int = 0
    last_exit: str = ""
    message: str = ""
    # Below: bookkeeping that nobody sees. Times are seconds of one monotonic clock.
    healthy_at: float | None = None
    # When it is to be looked at again, whatever its state waits for.
    due: float | None = None
    # The crashes that count against its restart budget.
    crashes: tuple[float, ...] = ()
    # The step of its stop plan that is under way; below 0 while a checkpoint is made, past the last for SIGKILL.
    stop_step: int = 0
    # Why it is being killed as one that hangs; empty if it is not.
    hung: str = ""
    # Whether its next process replaces one that crashed.
    crashed: bool = False
    # Whether it was started before, or by hand, so that it waits only for what is coming up.
    again: bool = False
    start_after_stop: bool = False
    # No longer in the plan: it goes when its process has ended.
    retiring: bool = False
    # The specification that holds once this process, which was started with the other, has ended.
    next_spec: ServiceSpec | None = None

    @property
    def name(self) -> str:
        """Return the service's name."""
        return self.spec.name

    def enter(self, state: State, message: str = "") -> None:
        """Be in this state from now on; the message says why, for people."""
        self.state, self.message = state, message

    def shown(self) -> tuple[object, ...]:
        """Return what a watcher sees."""
        return self.state, self.run, self.restarts, self.hangs, self.last_exit, self.message
