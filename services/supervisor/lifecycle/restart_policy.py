"""What follows when a process has ended by itself: decided here, done elsewhere."""

import signal
from collections.abc import Collection
from dataclasses import dataclass
from random import Random

from services.supervisor.plan.service_spec import Kind, RestartPolicy


@dataclass(frozen=True, slots=True)
class Complete:
    """A oneshot ended well."""


@dataclass(frozen=True, slots=True)
class RestartAfter:
    """Start it again after the delay; `crashes` are the times that count against the budget from now on."""

    delay_s: float
    crashes: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The budget is spent; `exit_code` is what the supervisor shall exit with, never 0."""

    exit_code: int


Decision = Complete | RestartAfter | GiveUp


def decide(
    policy: RestartPolicy,
    kind: Kind,
    code: int,
    healthy_s: float,
    crashes: Collection[float],
    now: float,
    random: Random,
) -> Decision:
    """
    Return what follows when a process ended by itself.

    Args:
        policy: the service's rules.
        kind: whether it is meant to end.
        code: exit code, or the negated number of the signal that killed it.
        healthy_s: seconds since it became healthy; 0 if it never did.
        crashes: times of the crashes before that count against the budget, in seconds.
        now: the present time, in seconds.
        random: source of the jitter.
    """
    if kind is Kind.ONESHOT and code == 0:
        return Complete()
    counted = () if healthy_s >= policy.stable_s else tuple(at for at in crashes if at > now - policy.window_s)
    spent = len(counted)
    if spent >= policy.max_restarts:
        return GiveUp(exit_status(code) or 1)
    delay_s = policy.first_delay_s
    for _ in range(spent):
        delay_s = min(delay_s * 2, policy.cap_s)
    jitter = random.uniform(-policy.jitter, policy.jitter)
    return RestartAfter(min(delay_s, policy.cap_s) * (1 + jitter), (*counted, now))


def exit_status(code: int) -> int:
    """Return the status a shell would show: the exit code, or 128 + the signal's number."""
    return 128 - code if code < 0 else code


def describe_exit(code: int) -> str:
    """Return an exit in words: `exit 1`, `signal SIGKILL`."""
    if code >= 0:
        return f"exit {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"
