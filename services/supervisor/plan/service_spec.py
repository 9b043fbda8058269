"""What a service of the plan is, as plain values."""

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from services.supervisor.plan.probe_spec import DEFAULT_SCHEDULE, AnyProbe, PostgresProbe, Schedule


class Kind(IntEnum):
    """Whether a service is meant to go on; the numbers are those of `ServiceKind` in the proto and never change."""

    LONGRUN = 1
    ONESHOT = 2


class Condition(IntEnum):
    """What a dependent waits for; the numbers are those of `Condition` in the proto and never change."""

    STARTED = 1
    HEALTHY = 2
    COMPLETED = 3


@dataclass(frozen=True, slots=True)
class Dependency:
    """An edge of the plan: the named service must have met the condition first."""

    name: str
    condition: Condition


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """
    When and how soon a crashed service is started again.

    A service may be restarted `max_restarts` times within `window_s` seconds; a process that was healthy for `stable_s`
    seconds restores the whole budget. The n-th restart waits `first_delay_s`·2ⁿ⁻¹, at most `cap_s`, changed by up to
    ±`jitter` of itself. A oneshot has succeeded when it exits with 0; a longrun that ends has always crashed.
    """

    max_restarts: int = 3
    stable_s: float = 60.0
    window_s: float = 600.0
    first_delay_s: float = 0.1
    cap_s: float = 10.0
    jitter: float = 0.1


DEFAULT_POLICY = RestartPolicy()


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


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory that is made for a service's user before each start; `gid` is its group."""

    path: Path
    mode: int
    gid: int


@dataclass(frozen=True, slots=True)
class Copy:
    """A file that is copied for a service's user before each start, so that the original can be another's."""

    source: Path
    target: Path


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link that is made before each start; `target` is relative to its directory."""

    path: Path
    target: str


@dataclass(frozen=True, slots=True)
class Identity:
    """
    The user a process becomes, and what is made ready for that user before.

    `owned` are directories that are given to it with all that is in them, `entered` those of somebody else on the way
    to them, which its group is let through, and `groups` its supplementary group ids.
    """

    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    directories: tuple[Directory, ...] = ()
    owned: tuple[Path, ...] = ()
    entered: tuple[Path, ...] = ()
    copies: tuple[Copy, ...] = ()
    links: tuple[Link, ...] = ()


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """
    A service: its command and everything the supervisor must know to run it.

    `environment` is the child's whole environment. `death_signal` reaches the process when the supervisor dies, and is
    tried first on one that hangs. `limits` are soft limits by their names without RLIMIT_, `nofile` for example.
    `reads` are the keys of the configuration that the process reads by itself, see `ServiceKeys`.
    `sockets` are removed before each start, they and `leftovers` at the end of the mesh. When a service is given up,
    the whole mesh stops. `runtime` names a node's program. `loaded_module` is imported in a fork server, so that the
    process, whose command is `python -m MODULE ARGUMENT…` then, need not import it.
    """

    name: str
    command: tuple[str, ...]
    kind: Kind = Kind.LONGRUN
    needs: tuple[Dependency, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    identity: Identity | None = None
    limits: Mapping[str, int] = field(default_factory=dict)
    oom_score_adj: int | None = None
    reads: tuple[str, ...] = ()
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
    runtime: str = ""
    loaded_module: str = ""

    def reads_any_of(self, key: str) -> bool:
        """Tell whether the process reads a key, something below it, or what it is below."""
        return any(key == own or key.startswith(f"{own}.") or own.startswith(f"{key}.") for own in self.reads)
