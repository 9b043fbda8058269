"""What a service of the plan is, as plain values."""

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from services.supervisor.policy import DEFAULT_POLICY, RestartPolicy
from services.supervisor.probe import DEFAULT_SCHEDULE, Probe, Schedule
from services.supervisor.states import Condition, Kind


@dataclass(frozen=True, slots=True)
class Dependency:
    """An edge of the plan: the named service must have met the condition first."""

    name: str
    condition: Condition


@dataclass(frozen=True, slots=True)
class StopStep:
    """Send a signal and wait so long for the process to end."""

    signal: signal.Signals
    timeout_s: float


@dataclass(frozen=True, slots=True)
class StopPlan:
    """
    How a service is stopped: the steps in turn, then SIGKILL to its whole process group.

    `leader_only` spares the group the steps' signals, for a process that stops its own children in an order of its
    own. `reserve_s` is the time that services stopped earlier must leave to this one when the whole mesh stops.
    """

    steps: tuple[StopStep, ...] = (StopStep(signal.SIGTERM, 5.0),)
    reserve_s: float = 1.0
    leader_only: bool = False


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """
    A service: its command and everything the supervisor must know to run it.

    `environment` is the child's whole environment. `death_signal` reaches the process when the supervisor dies.
    `sockets` are removed before each start, they and `leftovers` at the end of the mesh. `essential`: when it is given
    up, the whole mesh stops.
    """

    name: str
    command: tuple[str, ...]
    kind: Kind = Kind.LONGRUN
    needs: tuple[Dependency, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: Path | None = None
    umask: int = 0o027
    probe: Probe | None = None
    schedule: Schedule = DEFAULT_SCHEDULE
    policy: RestartPolicy = DEFAULT_POLICY
    stop: StopPlan = StopPlan()
    death_signal: signal.Signals = signal.SIGKILL
    ports: tuple[int, ...] = ()
    sockets: tuple[Path, ...] = ()
    leftovers: tuple[Path, ...] = ()
    essential: bool = True
