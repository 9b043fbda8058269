"""
The whole mesh as one state machine: events and the time in, actions out.

It has no clock, no loop and no process, so that any order of events can be tested. Times are seconds of one monotonic
clock. `runtime.py` performs the actions in their order and reports what happens as further events.

    PENDING ─▶ STARTING ─▶ HEALTHY ◀─▶ UNHEALTHY          up: has a process
       ▲          │           │            │
       │          ▼           ▼            ▼
       └────── BACKOFF ◀── process ended by itself ──▶ COMPLETED (oneshot), FAILED (budget spent)
                           or was killed because it hangs

    PENDING ─▶ SKIPPED (a dependency FAILED or is SKIPPED)          any ─▶ STOPPING ─▶ STOPPED
"""

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from services.supervisor.events_and_actions import (
    Action,
    Apply,
    Changed,
    Event,
    Exited,
    Finished,
    Hung,
    Hurry,
    Kill,
    Prepare,
    Prepared,
    Probed,
    Removed,
    Restart,
    Shutdown,
    Spawn,
    Start,
    Stop,
    Tick,
)
from services.supervisor.plan import restart_policy
from services.supervisor.plan.dependency_graph import Graph, blocking
from services.supervisor.plan.service_spec import ServiceSpec
from services.supervisor.plan.service_states import READY, UP, Kind, State

KILL_WAIT_S = 1.0
HUNG_WAIT_S = 2.0
HURRY_S = 3.0
_LOST = frozenset({State.FAILED, State.SKIPPED})


@dataclass(slots=True)
class Unit:
    """A service as it is now. `run` counts its processes, `restarts` those that replaced a crashed one."""

    spec: ServiceSpec
    state: State = State.PENDING
    alive: bool = False
    run: int = 0
    restarts: int = 0
    hangs: int = 0
    last_exit: str = ""
    message: str = ""
    # Below: bookkeeping that nobody sees.
    healthy_at: float | None = None
    due: float | None = None
    crashes: tuple[float, ...] = ()
    step: int = 0
    hung: str = ""
    crashed: bool = False
    again: bool = False
    start_after_stop: bool = False
    retiring: bool = False
    # The specification that holds once this process, which was started with the other, has ended.
    next_spec: ServiceSpec | None = None

    def shown(self) -> tuple[object, ...]:
        """Return what a watcher sees."""
        return self.state, self.run, self.restarts, self.hangs, self.last_exit, self.message


class Machine:
    """The state of every service; `handle` is the only thing that changes it."""

    def __init__(self, graph: Graph, random: Random, *, stop_deadline_s: float = 14.0) -> None:
        self.graph = graph
        self.units: dict[str, Unit] = {name: Unit(spec) for name, spec in graph.specs.items()}
        self.stopping = False
        self.exit_code = 0
        self.reason = ""
        self.culprit = ""
        self._random = random
        self._stop_deadline_s = stop_deadline_s
        self._deadline = 0.0
        self._haste = 0
        self._finished = False
        self._actions: list[Action] = []

    @property
    def ready(self) -> bool:
        """Tell whether every service is healthy or completed."""
        return all(unit.state in READY for unit in self.units.values())

    @property
    def applying(self) -> bool:
        """Tell whether a service of an earlier plan still runs."""
        return any(unit.retiring or unit.next_spec is not None for unit in self.units.values())

    def next_due(self) -> float | None:
        """Return when a Tick is needed at the latest, or None."""
        return min((unit.due for unit in self.units.values() if unit.due is not None), default=None)

    def forget(self, name: str) -> None:
        """Drop a service that was reported as Removed, once nobody shows it any more."""
        del self.units[name]

    def handle(self, event: Event, now: float) -> list[Action]:
        """Return the actions that follow from the event, in the order in which they must be done."""
        if not isinstance(event, Tick | Apply | Shutdown | Hurry) and event.name not in self.units:
            return []  # late news of a service that is no longer in the plan
        before = {name: unit.shown() for name, unit in self.units.items()}
        self._actions = []
        match event:
            case Exited():
                self._exited(self.units[event.name], event, now)
            case Probed():
                self._probed(self.units[event.name], event, now)
            case Hung():
                self._hung(self.units[event.name], event, now)
            case Prepared():
                self._prepared(self.units[event.name], event, now)
            case Apply():
                self._apply(event, now)
            case Tick():
                for unit in self.units.values():
                    if unit.due is not None and unit.due <= now:
                        self._expired(unit, now)
            case Start():
                self._start(self.units[event.name])
            case Stop():
                self._stop(self.units[event.name], now)
            case Restart():
                self._restart(self.units[event.name], now)
            case Shutdown():
                self._shutdown(event.reason, now)
            case Hurry():
                self._hurry(now)
        if self.stopping:
            self._go_on_stopping(now)
        else:
            self._start_what_can(now)
        removed = list(self._retire())
        changed = [Changed(name) for name, unit in self.units.items() if unit.shown() != before.get(name)]
        return [*self._actions, *changed, *removed, *self._finish(now)]

    # What happens to one service.

    def _exited(self, unit: Unit, event: Exited, now: float) -> None:
        if event.run != unit.run or not unit.alive:
            return
        was = unit.state
        healthy_s = 0.0 if unit.healthy_at is None else now - unit.healthy_at
        unit.alive, unit.due, unit.healthy_at = False, None, None
        unit.last_exit = restart_policy.describe_exit(event.code)
        if unit.hung:
            unit.last_exit, unit.hung = f"{unit.last_exit} (hung: {unit.hung})", ""
        if unit.next_spec is not None:
            unit.spec, unit.next_spec = unit.next_spec, None
        if was is State.STOPPING or self.stopping:
            self._to(unit, State.STOPPED)
            if unit.start_after_stop and not self.stopping:
                self._start(unit)
            return
        rules, kind = unit.spec.policy, unit.spec.kind
        decision = restart_policy.decide(rules, kind, event.code, healthy_s, unit.crashes, now, self._random)
        match decision:
            case restart_policy.Complete():
                self._to(unit, State.COMPLETED)
            case restart_policy.RestartAfter():
                budget = f"restart {len(decision.crashes)} of {unit.spec.policy.max_restarts}"
                self._to(unit, State.BACKOFF, f"{unit.last_exit}; {budget} in {decision.delay_s * 1000:.0f} ms")
                unit.due, unit.crashes = now + decision.delay_s, decision.crashes
            case restart_policy.GiveUp():
                self._to(unit, State.FAILED, f"{unit.last_exit} after {unit.spec.policy.max_restarts} restarts")
                if unit.spec.essential:
                    self._skip_dependents()
                    self.culprit, self.exit_code = unit.spec.name, decision.exit_code
                    self._shutdown(f"{unit.spec.name} failed: {unit.message}", now)

    def _probed(self, unit: Unit, event: Probed, now: float) -> None:
        if event.run != unit.run or unit.state not in UP or unit.hung:
            return
        if event.ready:
            unit.healthy_at = unit.healthy_at or now
            self._to(unit, State.HEALTHY)
        elif unit.state is State.HEALTHY:
            unit.healthy_at = None
            self._to(unit, State.UNHEALTHY, event.reason)
        else:
            unit.message = event.reason

    def _hung(self, unit: Unit, event: Hung, now: float) -> None:
        if event.run != unit.run or unit.state not in UP or unit.hung:
            return
        unit.hung = event.reason or "no answer"
        unit.hangs += 1
        unit.healthy_at = None
        self._to(unit, State.UNHEALTHY, f"hangs and is killed: {unit.hung}")
        self._actions.append(Kill(unit.spec.name, unit.spec.death_signal, leader_only=False))
        unit.due = now + HUNG_WAIT_S

    def _expired(self, unit: Unit, now: float) -> None:
        unit.due = None
        if unit.state is State.BACKOFF:
            unit.crashed = unit.again = True
            self._to(unit, State.PENDING)
        elif unit.state is State.STOPPING:
            unit.step += 1
            self._signal_step(unit, now)
        elif unit.hung:
            self._actions.append(Kill(unit.spec.name, signal.SIGKILL, leader_only=False))
            unit.due = now + KILL_WAIT_S

    def _start(self, unit: Unit) -> None:
        """Want it up by hand: the crashes before are forgiven, and dependencies that are down are not waited for."""
        if self.stopping or unit.retiring or unit.state in UP:
            return
        if unit.state is State.STOPPING:
            unit.start_after_stop = True
            return
        unit.due, unit.crashes, unit.crashed, unit.again, unit.start_after_stop = None, (), False, True, False
        self._to(unit, State.PENDING)

    def _stop(self, unit: Unit, now: float) -> None:
        unit.start_after_stop = False
        if unit.alive:
            self._begin_stop(unit, now)
        elif unit.state in {State.PENDING, State.BACKOFF, State.SKIPPED}:
            unit.due = None
            self._to(unit, State.STOPPED)

    def _restart(self, unit: Unit, now: float) -> None:
        if self.stopping or unit.retiring:
            return
        if unit.alive:
            self._begin_stop(unit, now)
            unit.start_after_stop = True
        else:
            self._start(unit)

    # Another plan.

    def _apply(self, event: Apply, now: float) -> None:
        if self.stopping:
            return
        assert not self.applying, "the last plan is in force before the next comes"
        former, self.graph = self.units, event.graph
        self.units = {name: former.get(name) or Unit(spec) for name, spec in event.graph.specs.items()}
        for name, spec in event.graph.specs.items():
            unit = self.units[name]
            if name not in event.restarts:
                unit.spec = spec
            elif unit.alive:
                wanted = unit.start_after_stop or unit.state is not State.STOPPING
                self._begin_stop(unit, now)
                unit.next_spec, unit.start_after_stop = spec, wanted
            else:
                unit.spec = spec
                # What has not been started yet still waits; what was stopped by hand stays so.
                if unit.run and unit.state is not State.STOPPED:
                    self._start(unit)
        for name in former.keys() - self.units.keys():
            unit = self.units[name] = former[name]
            unit.retiring = True
            self._stop(unit, now)

    def _retire(self) -> Iterator[Removed]:
        for name, unit in self.units.items():
            if unit.retiring and not unit.alive:
                self._to(unit, State.STOPPED, "no longer in the plan")
                yield Removed(name)

    # Starting.

    def _start_what_can(self, now: float) -> None:
        states = {name: unit.state for name, unit in self.units.items()}
        # In start order, so that one pass carries a change to everything that depends on it.
        for name, unit in self.units.items():
            if unit.state is State.SKIPPED and not any(states[edge.name] in _LOST for edge in unit.spec.needs):
                self._to(unit, State.PENDING)
            if unit.state is State.PENDING and not self._skip(unit):
                edge = blocking(unit.spec, states, again=unit.again)
                if edge is None:
                    self._spawn(unit, now)
                else:
                    target = states[edge.name].name.lower()
                    unit.message = f"waits for {edge.name} to be {edge.condition.name.lower()} (it is {target})"
            states[name] = unit.state

    def _spawn(self, unit: Unit, now: float) -> None:
        unit.run += 1
        unit.alive = True
        unit.restarts += unit.crashed
        self._actions.append(Spawn(unit.spec.name, unit.run, unit.crashed))
        unit.crashed = False
        if unit.spec.probe is None and unit.spec.kind is Kind.LONGRUN:
            unit.healthy_at = now
            self._to(unit, State.HEALTHY)
        else:
            self._to(unit, State.STARTING)

    def _skip(self, unit: Unit) -> bool:
        lost = next((edge.name for edge in unit.spec.needs if self.units[edge.name].state in _LOST), None)
        if lost is None or unit.again:
            return False
        self._to(unit, State.SKIPPED, f"{lost} is {self.units[lost].state.name.lower()}")
        return True

    def _skip_dependents(self) -> None:
        for unit in self.units.values():
            if unit.state is State.PENDING:
                self._skip(unit)

    # Stopping.

    def _shutdown(self, reason: str, now: float) -> None:
        if self.stopping:
            return
        self.stopping, self.reason, self._deadline = True, reason, now + self._stop_deadline_s
        for unit in self.units.values():
            unit.start_after_stop = False
            if unit.state in {State.PENDING, State.BACKOFF}:
                unit.due = None
                self._to(unit, State.STOPPED)

    def _hurry(self, now: float) -> None:
        self._shutdown("in haste", now)
        self._haste += 1
        self._deadline = min(self._deadline, now + (HURRY_S if self._haste == 1 else 0.0))
        for unit in self._living():
            if self._haste > 1 and unit.state is State.STOPPING:
                unit.step = len(unit.spec.stop.steps)
                self._signal_step(unit, now)
            elif unit.due is not None:
                unit.due = min(unit.due, now + HURRY_S / 2)

    def _go_on_stopping(self, now: float) -> None:
        """Begin to stop every service whose dependents are gone, or all when in haste."""
        for name, unit in reversed(self.units.items()):
            dependents = () if unit.retiring else self.graph.dependents(name)
            free = self._haste or not any(self.units[other].alive for other in dependents)
            if unit.alive and unit.state is not State.STOPPING and free:
                self._begin_stop(unit, now)

    def _begin_stop(self, unit: Unit, now: float) -> None:
        if unit.state is State.STOPPING:
            return
        self._to(unit, State.STOPPING)
        plan = unit.spec.stop
        if plan.checkpoint is not None and not self._haste:
            unit.step = -1
            self._actions.append(Prepare(unit.spec.name, unit.run))
            left_s = self._deadline - self._reserved_s(unit) - now if self.stopping else plan.checkpoint_timeout_s * 2
            unit.due = now + min(plan.checkpoint_timeout_s, max(0.0, left_s / 2))
            return
        unit.step = len(plan.steps) if self._haste > 1 else 0
        self._signal_step(unit, now)

    def _prepared(self, unit: Unit, event: Prepared, now: float) -> None:
        if event.run == unit.run and unit.state is State.STOPPING and unit.step < 0:
            unit.step = 0
            self._signal_step(unit, now)

    def _signal_step(self, unit: Unit, now: float) -> None:
        plan = unit.spec.stop
        if unit.step >= len(plan.steps):
            self._actions.append(Kill(unit.spec.name, signal.SIGKILL, leader_only=False))
            unit.due = now + KILL_WAIT_S
            return
        step = plan.steps[unit.step]
        timeout_s = step.timeout_s
        if self.stopping:
            # Share what is left until the deadline among the steps to come, in proportion to their wishes.
            wished_s = sum(later.timeout_s for later in plan.steps[unit.step :])
            left_s = self._deadline - self._reserved_s(unit) - now
            timeout_s *= max(0.0, min(1.0, left_s / wished_s)) if wished_s else 0.0
        self._actions.append(Kill(unit.spec.name, step.signal, plan.leader_only))
        unit.due = now + timeout_s

    def _reserved_s(self, unit: Unit) -> float:
        """Return the time that the living services below this one need after it, along the longest chain."""
        if self._haste:
            return 0.0
        chains_s: dict[str, float] = {}
        for name, other in self.units.items():
            below_s = max((chains_s.get(edge.name, 0.0) for edge in other.spec.needs), default=0.0)
            if other is unit:
                return below_s
            chains_s[name] = below_s + other.spec.stop.reserve_s * other.alive
        return 0.0

    def _finish(self, now: float) -> Iterator[Finished]:
        if not self.stopping or self._finished:
            return
        living = list(self._living())
        # A process in an uninterruptible wait cannot be killed; the supervisor must not hang with it.
        lost = now >= self._deadline + KILL_WAIT_S and all(unit.step >= len(unit.spec.stop.steps) for unit in living)
        if not living or lost:
            self._finished = True
            yield Finished(self.exit_code or (1 if living else 0))

    def _living(self) -> Iterator[Unit]:
        return (unit for unit in self.units.values() if unit.alive)

    def _to(self, unit: Unit, state: State, message: str = "") -> None:
        unit.state, unit.message = state, message
