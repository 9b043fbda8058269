"""
How services are stopped: by the steps of their plans, and within the deadline once the whole mesh stops.

When everything stops, a service's steps share what is left until the deadline, less the time that the services below it
will need after it. The first request to hurry ends the order of the stop and most of its patience, the second kills.
"""

import signal
from collections.abc import Mapping

from services.supervisor.lifecycle.events_and_actions import Action, Kill, Prepare
from services.supervisor.lifecycle.managed_service import ManagedService
from services.supervisor.lifecycle.service_states import State

KILL_WAIT_S = 1.0
HURRY_S = 3.0
CHECKPOINT_S = 3.0


class OrderedStop:
    """The stops that are under way: of single services until `begin_all`, then of all of them."""

    def __init__(self, deadline_s: float) -> None:
        self.everything = False
        self.hurries = 0
        self._deadline_s = deadline_s
        self._deadline = 0.0

    def begin_all(self, now: float) -> None:
        """Hold everything that is stopped from now on, and what is being stopped, to the deadline."""
        self.everything, self._deadline = True, now + self._deadline_s

    def hurry(self, services: Mapping[str, ManagedService], now: float) -> list[Action]:
        """Bring the deadline near; kill what is being stopped if it is not the first request to hurry."""
        self.hurries += 1
        self._deadline = min(self._deadline, now + (HURRY_S if self.hurries == 1 else 0.0))
        actions: list[Action] = []
        for service in filter(lambda each: each.alive, services.values()):
            if self.hurries > 1 and service.state is State.STOPPING:
                service.stop_step = len(service.spec.stop.steps)
                actions += self._signal(service, services, now)
            elif service.due is not None:
                service.due = min(service.due, now + HURRY_S / 2)
        return actions

    def begin(self, service: ManagedService, services: Mapping[str, ManagedService], now: float) -> list[Action]:
        """Begin to stop a service that has a process; nothing if that has begun already."""
        if service.state is State.STOPPING:
            return []
        service.enter(State.STOPPING)
        plan = service.spec.stop
        if plan.checkpoint is not None and not self.hurries:
            service.stop_step = -1
            left_s = self._left_s(service, services, now) if self.everything else CHECKPOINT_S * 2
            service.due = now + min(CHECKPOINT_S, max(0.0, left_s / 2))
            return [Prepare(service.name, service.run)]
        service.stop_step = len(plan.steps) if self.hurries > 1 else 0
        return self._signal(service, services, now)

    def prepared(self, service: ManagedService, services: Mapping[str, ManagedService], now: float) -> list[Action]:
        """Go on after the checkpoint, unless that has taken too long and the first signal is sent already."""
        return self.next_step(service, services, now) if service.stop_step < 0 else []

    def next_step(self, service: ManagedService, services: Mapping[str, ManagedService], now: float) -> list[Action]:
        """Go on to the next step, since the time of the one before is over."""
        service.stop_step += 1
        return self._signal(service, services, now)

    def is_lost(self, services: Mapping[str, ManagedService], now: float) -> bool:
        """Tell whether all that lives was killed in vain: a process in an uninterruptible wait must not hold us up."""
        killed = (each.stop_step >= len(each.spec.stop.steps) for each in services.values() if each.alive)
        return now >= self._deadline + KILL_WAIT_S and all(killed)

    def _signal(self, service: ManagedService, services: Mapping[str, ManagedService], now: float) -> list[Action]:
        plan = service.spec.stop
        if service.stop_step >= len(plan.steps):
            service.due = now + KILL_WAIT_S
            return [Kill(service.name, signal.SIGKILL, leader_only=False)]
        step = plan.steps[service.stop_step]
        timeout_s = step.timeout_s
        if self.everything:
            # Share what is left until the deadline among the steps to come, in proportion to their wishes.
            wished_s = sum(later.timeout_s for later in plan.steps[service.stop_step :])
            left_s = self._left_s(service, services, now)
            timeout_s *= max(0.0, min(1.0, left_s / wished_s)) if wished_s else 0.0
        service.due = now + timeout_s
        return [Kill(service.name, step.signal, plan.leader_only)]

    def _left_s(self, service: ManagedService, services: Mapping[str, ManagedService], now: float) -> float:
        return self._deadline - self._reserved_s(service, services) - now

    def _reserved_s(self, service: ManagedService, services: Mapping[str, ManagedService]) -> float:
        """Return the time that the living services below this one need after it, along the longest chain."""
        if self.hurries:
            return 0.0
        chains_s: dict[str, float] = {}
        for name, other in services.items():
            below_s = max((chains_s.get(edge.name, 0.0) for edge in other.spec.needs), default=0.0)
            if other is service:
                return below_s
            chains_s[name] = below_s + other.spec.stop.reserve_s * other.alive
        return 0.0
