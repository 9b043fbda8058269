"""What a service of the plan is, as plain values."""

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from services.supervisor.plan.restart_policy import DEFAULT_POLICY, RestartPolicy
from services.supervisor.plan.service_states import Condition, Kind
from services.supervisor.process.probes import DEFAULT_SCHEDULE, AnyProbe, PostgresProbe, Schedule


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
    With `checkpoint` the first thing is to have PostgreSQL write out what it holds, so that its own stop is short; a
    hurried stop leaves it out.
    """

    steps: tuple[StopStep, ...] = (StopStep(signal.SIGTERM, 5.0),)
    reserve_s: float = 1.0
    leader_only: bool = False
    checkpoint: PostgresProbe | None = None
    checkpoint_timeout_s: float = 3.0


@dataclass(frozen=True, slots=True)
class Identity:
    """The user a process becomes; `owned` are directories that are given to it, with all that is in them, before."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    owned: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """
    A service: its command and everything the supervisor must know to run it.

    `environment` is the child's whole environment. `death_signal` reaches the process when the supervisor dies, and is
    tried first on one that hangs. `limits` are soft limits by their names without RLIMIT_, `nofile` for example.
    `settings` is a digest of what the process reads from the configuration file by itself.
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
    identity: Identity | None = None
    limits: Mapping[str, int] = field(default_factory=dict)
    nice: int = 0
    oom_score_adj: int | None = None
    settings: str = ""
    probe: AnyProbe | None = None
    schedule: Schedule = DEFAULT_SCHEDULE
    liveness: AnyProbe | None = None
    liveness_schedule: Schedule = DEFAULT_SCHEDULE
    policy: RestartPolicy = DEFAULT_POLICY
    stop: StopPlan = StopPlan()
    death_signal: signal.Signals = signal.SIGKILL
    ports: tuple[int, ...] = ()
    sockets: tuple[Path, ...] = ()
    leftovers: tuple[Path, ...] = ()
    essential: bool = True
