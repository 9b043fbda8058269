"""
The whole mesh as one state machine: events and the time in, actions out.

It has no clock, no loop and no process, so that any order of events can be tested. Times are seconds of one monotonic
clock. `supervision_loop.py` performs the actions in their order and reports what happens as further events.

    PENDING ─▶ STARTING ─▶ HEALTHY ◀─▶ UNHEALTHY          up: has a process
       ▲          │           │            │
       │          ▼           ▼            ▼
       └────── BACKOFF ◀── process ended by itself ──▶ COMPLETED (oneshot), FAILED (budget spent: the mesh stops)
                           or was killed because it hangs

    PENDING ─▶ SKIPPED (a dependency FAILED or is SKIPPED)          any ─▶ STOPPING ─▶ STOPPED
"""

import signal
from collections.abc import Iterator
from random import Random

from services.supervisor.lifecycle import events_and_actions as msg
from services.supervisor.lifecycle import restart_policy
from services.supervisor.lifecycle.managed_service import ManagedService
from services.supervisor.lifecycle.ordered_stop import KILL_WAIT_S, OrderedStop
from services.supervisor.lifecycle.service_states import READY, UP, State
from services.supervisor.lifecycle.start_conditions import blocking
from services.supervisor.plan.dependency_graph import DependencyGraph
from services.supervisor.plan.service_spec import Kind

HUNG_WAIT_S = 2.0
_LOST = frozenset({State.FAILED, State.SKIPPED})


class StateMachine:
    """The state of every service; `handle` is the only thing that changes it."""

    def __init__(self, graph: DependencyGraph, random: Random, *, stop_deadline_s: float = 14.0) -> None:
        self.graph = graph
        self.services: dict[str, ManagedService] = {name: ManagedService(spec) for name, spec in graph.specs.items()}
        self.exit_code = 0
        self.reason = ""
        self.culprit = ""
        self._random = random
        self._stop = OrderedStop(stop_deadline_s)
        self._finished = False

    @property
    def stopping(self) -> bool:
        """Tell whether the whole mesh stops."""
        return self._stop.everything

    @property
    def ready(self) -> bool:
        """Tell whether every service is healthy or completed."""
        return all(service.state in READY for service in self.services.values())

    @property
    def applying(self) -> bool:
        """Tell whether a service of an earlier plan still runs."""
        return any(service.retiring or service.next_spec is not None for service in self.services.values())

    def next_due(self) -> float | None:
        """Return when a Tick is needed at the latest, or None."""
        return min((service.due for service in self.services.values() if service.due is not None), default=None)

    def forget(self, name: str) -> None:
        """Drop a service that was reported as Removed, once nobody shows it any more."""
        del self.services[name]

    def handle(self, event: msg.Event, now: float) -> list[msg.Action]:
        """Return the actions that follow from the event, in the order in which they must be done."""
        if not isinstance(event, msg.Tick | msg.Apply | msg.Shutdown | msg.Hurry) and event.name not in self.services:
            return []  # late news of a service that is no longer in the plan
        before = {name: service.shown() for name, service in self.services.items()}
        actions = self._follow(event, now)
        actions += self._go_on_stopping(now) if self.stopping else self._start_what_can(now)
        removed = list(self._retire())
        changed = [msg.Changed(name) for name, service in self.services.items() if service.shown() != before.get(name)]
        return [*actions, *changed, *removed, *self._finish(now)]

    def _follow(self, event: msg.Event, now: float) -> list[msg.Action]:
        """Let the event change what it is about, and return what must be done at once."""
        match event:
            case msg.Exited():
                return self._exited(self.services[event.name], event, now)
            case msg.Probed():
                return self._probed(self.services[event.name], event, now)
            case msg.Hung():
                return self._hung(self.services[event.name], event, now)
            case msg.Prepared():
                return self._prepared(self.services[event.name], event, now)
            case msg.Apply():
                return self._apply(event, now)
            case msg.Tick():
                due = [each for each in self.services.values() if each.due is not None and each.due <= now]
                return [action for service in due for action in self._expired(service, now)]
            case msg.Start():
                return self._start(self.services[event.name])
            case msg.Stop():
                return self._stop_one(self.services[event.name], now)
            case msg.Restart():
                return self._restart(self.services[event.name], now)
            case msg.Shutdown():
                return self._shutdown(event.reason, now)
            case msg.Hurry():
                return [*self._shutdown("in haste", now), *self._stop.hurry(self.services, now)]

    # What happens to one service.

    def _exited(self, service: ManagedService, event: msg.Exited, now: float) -> list[msg.Action]:
        if event.run != service.run or not service.alive:
            return []
        was = service.state
        healthy_s = 0.0 if service.healthy_at is None else now - service.healthy_at
        service.alive, service.due, service.healthy_at = False, None, None
        service.last_exit = restart_policy.describe_exit(event.code)
        if service.hung:
            service.last_exit, service.hung = f"{service.last_exit} (hung: {service.hung})", ""
        if service.next_spec is not None:
            service.spec, service.next_spec = service.next_spec, None
        if was is State.STOPPING or self.stopping:
            service.enter(State.STOPPED)
            return self._start(service) if service.start_after_stop and not self.stopping else []
        rules, kind = service.spec.policy, service.spec.kind
        decision = restart_policy.decide(rules, kind, event.code, healthy_s, service.crashes, now, self._random)
        match decision:
            case restart_policy.Complete():
                service.enter(State.COMPLETED)
            case restart_policy.RestartAfter():
                budget = f"restart {len(decision.crashes)} of {rules.max_restarts}"
                service.enter(State.BACKOFF, f"{service.last_exit}; {budget} in {decision.delay_s * 1000:.0f} ms")
                service.due, service.crashes = now + decision.delay_s, decision.crashes
            case restart_policy.GiveUp():
                service.enter(State.FAILED, f"{service.last_exit} after {rules.max_restarts} restarts")
                self._skip_dependents()
                self.culprit, self.exit_code = service.name, decision.exit_code
                return self._shutdown(f"{service.name} failed: {service.message}", now)
        return []

    def _probed(self, service: ManagedService, event: msg.Probed, now: float) -> list[msg.Action]:
        if event.run != service.run or service.state not in UP or service.hung:
            return []
        if event.ready:
            service.healthy_at = service.healthy_at or now
            service.enter(State.HEALTHY)
        elif service.state is State.HEALTHY:
            service.healthy_at = None
            service.enter(State.UNHEALTHY, event.reason)
        else:
            service.message = event.reason
        return []

    def _hung(self, service: ManagedService, event: msg.Hung, now: float) -> list[msg.Action]:
        if event.run != service.run or service.state not in UP or service.hung:
            return []
        service.hung = event.reason or "no answer"
        service.hangs += 1
        service.healthy_at = None
        service.enter(State.UNHEALTHY, f"hangs and is killed: {service.hung}")
        service.due = now + HUNG_WAIT_S
        return [msg.Kill(service.name, service.spec.death_signal, leader_only=False)]

    def _prepared(self, service: ManagedService, event: msg.Prepared, now: float) -> list[msg.Action]:
        if event.run != service.run or service.state is not State.STOPPING:
            return []
        return self._stop.prepared(service, self.services, now)

    def _expired(self, service: ManagedService, now: float) -> list[msg.Action]:
        service.due = None
        if service.state is State.BACKOFF:
            service.crashed = service.again = True
            service.enter(State.PENDING)
        elif service.state is State.STOPPING:
            return self._stop.next_step(service, self.services, now)
        elif service.hung:
            service.due = now + KILL_WAIT_S
            return [msg.Kill(service.name, signal.SIGKILL, leader_only=False)]
        return []

    def _start(self, service: ManagedService) -> list[msg.Action]:
        """Want it up by hand: the crashes before are forgiven, and dependencies that are down are not waited for."""
        if self.stopping or service.retiring or service.state in UP:
            return []
        if service.state is State.STOPPING:
            service.start_after_stop = True
            return []
        service.due, service.crashes, service.crashed, service.again = None, (), False, True
        service.start_after_stop = False
        service.enter(State.PENDING)
        return []

    def _stop_one(self, service: ManagedService, now: float) -> list[msg.Action]:
        service.start_after_stop = False
        if service.alive:
            return self._stop.begin(service, self.services, now)
        if service.state in {State.PENDING, State.BACKOFF}:
            service.due = None
            service.enter(State.STOPPED)
        return []

    def _restart(self, service: ManagedService, now: float) -> list[msg.Action]:
        if self.stopping or service.retiring:
            return []
        if not service.alive:
            return self._start(service)
        service.start_after_stop = True
        return self._stop.begin(service, self.services, now)

    # Another plan.

    def _apply(self, event: msg.Apply, now: float) -> list[msg.Action]:
        if self.stopping:
            return []
        assert not self.applying, "the last plan is in force before the next comes"
        former, self.graph = self.services, event.graph
        self.services = {name: former.get(name) or ManagedService(spec) for name, spec in event.graph.specs.items()}
        gone = [service for name, service in former.items() if name not in self.services]
        self.services |= {service.name: service for service in gone}
        actions: list[msg.Action] = []
        for name, spec in event.graph.specs.items():
            service = self.services[name]
            if name not in event.restarts:
                service.spec = spec
            elif service.alive:
                wanted = service.start_after_stop or service.state is not State.STOPPING
                actions += self._stop.begin(service, self.services, now)
                service.next_spec, service.start_after_stop = spec, wanted
            else:
                service.spec = spec
                # What has not been started yet still waits; what was stopped by hand stays so.
                if service.run and service.state is not State.STOPPED:
                    self._start(service)
        for service in gone:
            service.retiring = True
            actions += self._stop_one(service, now)
        return actions

    def _retire(self) -> Iterator[msg.Removed]:
        for name, service in self.services.items():
            if service.retiring and not service.alive:
                service.enter(State.STOPPED, "no longer in the plan")
                yield msg.Removed(name)

    # Starting.

    def _start_what_can(self, now: float) -> list[msg.Action]:
        actions: list[msg.Action] = []
        states = {name: service.state for name, service in self.services.items()}
        # In start order, so that one pass carries a change to everything that depends on it.
        for name, service in self.services.items():
            if service.state is State.PENDING:
                edge = blocking(service.spec, states, again=service.again)
                if edge is None:
                    actions.append(self._spawn(service, now))
                else:
                    target = states[edge.name].name.lower()
                    service.message = f"waits for {edge.name} to be {edge.condition.name.lower()} (it is {target})"
            states[name] = service.state
        return actions

    def _spawn(self, service: ManagedService, now: float) -> msg.Action:
        service.run += 1
        service.alive = True
        service.restarts += service.crashed
        spawn = msg.Spawn(service.name, service.run, service.crashed)
        service.crashed = False
        if service.spec.probe is None and service.spec.kind is Kind.LONGRUN:
            service.healthy_at = now
            service.enter(State.HEALTHY)
        else:
            service.enter(State.STARTING)
        return spawn

    # Stopping.

    def _shutdown(self, reason: str, now: float) -> list[msg.Action]:
        if self.stopping:
            return []
        self.reason = reason
        self._stop.begin_all(now)
        for service in self.services.values():
            service.start_after_stop = False
            if service.state in {State.PENDING, State.BACKOFF}:
                service.due = None
                service.enter(State.STOPPED)
        return []

    def _skip_dependents(self) -> None:
        """Give up what waits for a service that is given up; what was started before waits no longer."""
        for service in self.services.values():
            lost = next((edge.name for edge in service.spec.needs if self.services[edge.name].state in _LOST), None)
            if service.state is State.PENDING and lost is not None and not service.again:
                service.enter(State.SKIPPED, f"{lost} is {self.services[lost].state.name.lower()}")

    def _go_on_stopping(self, now: float) -> list[msg.Action]:
        """Begin to stop every service whose dependents are gone, or all when in haste."""
        actions: list[msg.Action] = []
        for name, service in reversed(self.services.items()):
            dependents = () if service.retiring else self.graph.dependents(name)
            free = self._stop.hurries or not any(self.services[other].alive for other in dependents)
            if service.alive and free:
                actions += self._stop.begin(service, self.services, now)
        return actions

    def _finish(self, now: float) -> Iterator[msg.Finished]:
        if not self.stopping or self._finished:
            return
        living = any(service.alive for service in self.services.values())
        if not living or self._stop.is_lost(self.services, now):
            self._finished = True
            yield msg.Finished(self.exit_code or (1 if living else 0))
