"""A machine with pretended processes under it, and the promises that hold at each step."""

import signal
from dataclasses import dataclass, field
from random import Random

from services.supervisor.lifecycle import events_and_actions as msg
from services.supervisor.lifecycle.service_states import State
from services.supervisor.lifecycle.state_machine import StateMachine
from services.supervisor.plan.dependency_graph import DependencyGraph
from services.supervisor.plan.service_spec import Condition, Kind, ServiceSpec

DEADLINE_S = 14.0


@dataclass
class SimulatedMesh:
    """
    Perform a machine's actions on pretended processes, and check the promises at each step.

    `obeys` says which services end at their stop signal; the others need SIGKILL.
    """

    specs: list[ServiceSpec]
    obeys: set[str] = field(default_factory=set)
    now: float = 0.0
    living: dict[str, int] = field(default_factory=dict)
    healthy: set[str] = field(default_factory=set)
    completed: set[str] = field(default_factory=set)
    by_hand: set[str] = field(default_factory=set)
    crashes: dict[str, int] = field(default_factory=dict)
    dying: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    stop_order: list[str] = field(default_factory=list)
    hasty: bool = False
    exit_code: int | None = None

    def __post_init__(self) -> None:
        self.graph = DependencyGraph(self.specs)
        self.machine = StateMachine(self.graph, Random(1), stop_deadline_s=DEADLINE_S)
        self.handle(msg.Tick())

    def handle(self, event: msg.Event) -> None:
        """Let the machine handle an event and do what it says."""
        stopped_before = self.machine.stopping
        for action in self.machine.handle(event, self.now):
            match action:
                case msg.Spawn():
                    self._spawn(action, stopped_before)
                case msg.Kill():
                    self._kill(action)
                case msg.Prepare():
                    assert self.machine.services[action.name].state is State.STOPPING
                case msg.Removed():
                    assert action.name not in self.living, "removed only when it is gone"
                    self.removed.append(action.name)
                    self.machine.forget(action.name)
                case msg.Finished():
                    assert self.exit_code is None, "finished once"
                    assert not self.living or self.now > DEADLINE_S
                    self.exit_code = action.exit_code

    def end(self, name: str, code: int) -> None:
        """End a process."""
        run = self.living.pop(name)
        wanted = self.machine.services[name].state is State.STOPPING or self.machine.stopping
        self.healthy.discard(name)
        if self.machine.services[name].spec.kind is Kind.ONESHOT and code == 0 and not wanted:
            self.completed.add(name)
        elif not wanted:
            self.crashes[name] = self.crashes.get(name, 0) + 1
        self.handle(msg.Exited(name, run, code))

    def probe(self, name: str, ready: bool) -> None:
        """Report a probe's result."""
        service = self.machine.services[name]
        if service.spec.kind is Kind.LONGRUN and not service.hung:
            if self.machine.services[name].state is not State.STOPPING:
                (self.healthy.add if ready else self.healthy.discard)(name)
            self.handle(msg.Probed(name, self.living[name], ready))

    def hang(self, name: str) -> None:
        """Report that a process does not answer any more; it dies of the SIGKILL that must follow."""
        self.healthy.discard(name)
        self.handle(msg.Hung(name, self.living[name], "no answer"))

    def apply(self, specs: list[ServiceSpec], restarts: set[str]) -> None:
        """Have another plan in force."""
        self.graph = DependencyGraph(specs)
        for name in restarts:
            self.by_hand.add(name)
            self.crashes[name] = 0
            self.healthy.discard(name)
            self.completed.discard(name)
        self.handle(msg.Apply(self.graph, frozenset(restarts)))

    def by_operator(self, event: msg.Start | msg.Stop | msg.Restart) -> None:
        """Do something by hand, which forgives crashes."""
        if isinstance(event, msg.Stop):
            self.healthy.discard(event.name)
        else:
            self.by_hand.add(event.name)
            self.crashes[event.name] = 0
            if isinstance(event, msg.Restart):
                self.healthy.discard(event.name)
            self.completed.discard(event.name)
        self.handle(event)

    def run_until(self, time_s: float) -> None:
        """Let time pass with the ticks the machine asks for; who was told to die dies a moment later."""
        while self.exit_code is None:
            if self.dying:
                name = self.dying.pop(0)
                if name in self.living:
                    self.end(name, -signal.SIGTERM)
                continue
            due = self.machine.next_due()
            if due is None or due > time_s:
                break
            self.now = max(self.now, due)
            self.handle(msg.Tick())
        self.now = max(self.now, time_s)

    def _spawn(self, action: msg.Spawn, stopped_before: bool) -> None:
        name = action.name
        spec = self.machine.services[name].spec
        assert name in self.graph.specs, "never one that is no longer in the plan"
        assert spec == self.graph.specs[name], "always by the plan in force"
        assert name not in self.living, "never two processes of one service"
        assert not stopped_before, "nothing starts once the mesh stops"
        assert self.crashes.get(name, 0) <= spec.policy.max_restarts, "the budget is kept"
        if action.run == 1 and name not in self.by_hand:
            for edge in spec.needs:
                met = {
                    Condition.STARTED: edge.name in self.living or edge.name in self.completed,
                    Condition.HEALTHY: edge.name in self.healthy,
                    Condition.COMPLETED: edge.name in self.completed,
                }
                assert met[edge.condition], "never before the conditions"
        self.living[name] = action.run
        if spec.probe is None and spec.kind is Kind.LONGRUN:
            self.healthy.add(name)

    def _kill(self, action: msg.Kill) -> None:
        name = action.name
        assert name in self.living
        if self.machine.stopping and not self.hasty and name not in self.stop_order:
            # What was being stopped by hand already is not of this order.
            self.stop_order.append(name)
            dependents = self.graph.dependents(name) if name in self.graph.specs else frozenset()
            late = [other for other in dependents if other in self.living]
            assert [] == late or self.machine.services[name].stop_step > 0, "dependents stop first"
        hung = bool(self.machine.services[name].hung)
        assert hung or self.machine.services[name].state is State.STOPPING, "nobody is killed without a reason"
        self.healthy.discard(name)
        if action.signal is signal.SIGKILL or name in self.obeys:
            self.dying.append(name)
