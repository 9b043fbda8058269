"""What the machine is told and what it wants done: events in, actions out."""

import signal
from dataclasses import dataclass

from services.supervisor.plan.dependency_graph import DependencyGraph


@dataclass(frozen=True, slots=True)
class Exited:
    """The process of this run has ended; a negative code is the signal that killed it."""

    name: str
    run: int
    code: int


@dataclass(frozen=True, slots=True)
class Probed:
    """The readiness of this run's process has changed; `reason` says why it is not ready."""

    name: str
    run: int
    ready: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Hung:
    """The process of this run does not answer its liveness probe any more."""

    name: str
    run: int
    reason: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """What comes before the first stop signal of this run is done, or cannot be done."""

    name: str
    run: int


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


@dataclass(frozen=True, slots=True)
class Start:
    """Somebody wants the service up."""

    name: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Somebody wants the service down."""

    name: str


@dataclass(frozen=True, slots=True)
class Restart:
    """Somebody wants a new process of the service."""

    name: str


@dataclass(frozen=True, slots=True)
class Apply:
    """
    Have the services of another graph from now on.

    Those named in `restarts` get a new process (a oneshot that has run runs again), new ones start, those that are
    gone stop. It must not come before the last one is done, see `StateMachine.applying`.
    """

    graph: DependencyGraph
    restarts: frozenset[str]


@dataclass(frozen=True, slots=True)
class Shutdown:
    """Stop the whole mesh in order; nothing new if it stops already."""

    reason: str


@dataclass(frozen=True, slots=True)
class Hurry:
    """Somebody is impatient: the first ends the order of the stop and most of its patience, the second kills."""


Event = Exited | Probed | Hung | Prepared | Tick | Start | Stop | Restart | Apply | Shutdown | Hurry


@dataclass(frozen=True, slots=True)
class Spawn:
    """Start a process; its exit is to be reported with this run number. `crashed`: it replaces one that crashed."""

    name: str
    run: int
    crashed: bool


@dataclass(frozen=True, slots=True)
class Kill:
    """Send a signal to the service's process group, or to its leader only."""

    name: str
    signal: signal.Signals
    leader_only: bool


@dataclass(frozen=True, slots=True)
class Prepare:
    """Do what the stop plan wants before the first signal; its end is to be reported with this run number."""

    name: str
    run: int


@dataclass(frozen=True, slots=True)
class Changed:
    """What the service shows has changed."""

    name: str


@dataclass(frozen=True, slots=True)
class Removed:
    """The service is no longer in the plan, and its process is gone."""

    name: str


@dataclass(frozen=True, slots=True)
class Finished:
    """Nothing runs any more: end with this exit code."""

    exit_code: int


Action = Spawn | Kill | Prepare | Changed | Removed | Finished
