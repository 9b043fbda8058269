"""The state machine, under any order of events."""

import signal
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.supervisor.lifecycle import events_and_actions as msg
from services.supervisor.lifecycle.ordered_stop import CHECKPOINT_S, KILL_WAIT_S
from services.supervisor.lifecycle.service_states import State
from services.supervisor.lifecycle.state_machine import HUNG_WAIT_S
from services.supervisor.plan.dependency_graph import DependencyGraph
from services.supervisor.plan.probe_spec import PostgresProbe, TcpProbe
from services.supervisor.plan.service_spec import RestartPolicy, ServiceSpec, StopPlan, StopStep
from tests.supervisor.fakes import completed, healthy, oneshot, sleeper
from tests.supervisor.plan.test_dependency_graph import acyclic_plans
from tests.supervisor.simulated_mesh import DEADLINE_S, SimulatedMesh

OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["crash", "end", "ready", "unready", "hang", "start", "stop", "restart", "apply", "wait"]),
        st.integers(0, 11),
        st.floats(0, 3),
    ),
    max_size=40,
)


def another_plan(data: st.DataObject, graph: DependencyGraph) -> list[ServiceSpec]:
    """Draw a plan with some services gone, some changed and perhaps one more."""
    kept = {name for name in graph.order if data.draw(st.integers(0, 3))}
    specs = []
    for name in sorted(kept):
        spec = graph.specs[name]
        spec = replace(spec, needs=tuple(edge for edge in spec.needs if edge.name in kept))
        specs.append(replace(spec, reads=(*spec.reads, "solution.x")) if data.draw(st.booleans()) else spec)
    if not specs or data.draw(st.booleans()):
        specs.append(sleeper(f"n-{len(graph.order)}-{data.draw(st.integers(0, 10**9))}"))
    return specs


@settings(max_examples=100, deadline=None)
@given(st.data(), acyclic_plans(), OPERATIONS, st.booleans())
def test_promises_hold_in_any_order_of_events(
    data: st.DataObject, plan: list[ServiceSpec], operations: list[tuple[str, int, float]], hurried: bool
) -> None:
    """
    Never before the conditions, never two processes, budget kept, reverse stop order, and an end in time; also when
    processes hang, and when another plan comes.

    Whatever happened before, a shutdown ends within its deadline and the wait for the last SIGKILL.
    """
    probed = [replace(s, probe=TcpProbe(1)) if data.draw(st.booleans()) else s for s in plan]
    world = SimulatedMesh(probed, set(data.draw(st.lists(st.sampled_from([s.name for s in plan])))))
    names = list(world.graph.order)
    for what, index, amount in operations:
        name = names[index % len(names)]
        if world.machine.stopping:
            break
        match what:
            case "crash" | "end" if name in world.living:
                world.end(name, 1 if what == "crash" else 0)
            case "ready" | "unready" if name in world.living:
                world.probe(name, what == "ready")
            case "hang" if name in world.living:
                world.hang(name)
            case "apply" if not world.machine.applying:
                changed = another_plan(data, world.graph)
                world.apply(changed, {spec.name for spec in changed if world.graph.specs.get(spec.name) != spec})
                names = list(world.graph.order)
            case "start":
                world.by_operator(msg.Start(name))
            case "stop":
                world.by_operator(msg.Stop(name))
            case "restart":
                world.by_operator(msg.Restart(name))
            case "wait":
                world.run_until(world.now + amount)
    began = world.now
    world.handle(msg.Shutdown("test"))
    if hurried:
        world.hasty = True
        world.handle(msg.Hurry())
    world.run_until(began + DEADLINE_S + 4 * KILL_WAIT_S)

    assert world.exit_code is not None
    assert {} == world.living
    assert not {service.state for service in world.machine.services.values()} & {
        State.STARTING,
        State.HEALTHY,
        State.UNHEALTHY,
        State.STOPPING,
        State.BACKOFF,
        State.PENDING,
    }


def test_a_failed_service_skips_its_dependents_and_ends_the_mesh() -> None:
    """Dependents that wait are skipped with the reason, others stop, the exit code is the culprit's."""
    spec = replace(oneshot("a", ""), policy=RestartPolicy(max_restarts=0))
    world = SimulatedMesh([spec, sleeper("b", completed("a")), sleeper("c", healthy("b")), sleeper("d")], {"d"})
    world.end("a", 9)
    world.run_until(1)
    services = world.machine.services

    assert 9 == world.exit_code
    assert [State.FAILED, State.SKIPPED, State.SKIPPED, State.STOPPED] == [services[name].state for name in "abcd"]
    assert ["a is failed", "b is skipped"] == [services[name].message for name in "bc"]


def test_a_crash_loop_spends_the_budget() -> None:
    """The service runs once more than it may be restarted; each wait is longer than the one before."""
    world = SimulatedMesh([sleeper("a")])
    began: list[float] = []
    while world.exit_code is None:
        began.append(world.now)
        world.end("a", 5)
        world.run_until(world.machine.next_due() or world.now)
    waits = [after - before for before, after in pairwise(began)]

    assert (5, 4, 3) == (world.exit_code, len(began), world.machine.services["a"].restarts)
    assert sorted(waits) == waits
    assert waits[0] < waits[-1]


def test_pending_dependents_survive_a_restart_of_their_dependency() -> None:
    """A dependency that crashes before it is healthy is waited for on, and its dependent starts when it is."""
    world = SimulatedMesh([replace(sleeper("a"), probe=TcpProbe(1)), sleeper("b", healthy("a"))])
    world.end("a", 1)
    before = world.machine.services["b"].state
    world.run_until(5)
    world.probe("a", True)

    assert (State.PENDING, State.HEALTHY) == (before, world.machine.services["b"].state)


def test_a_crash_leaves_running_dependents_alone() -> None:
    """The dependent keeps its process while its dependency is restarted."""
    world = SimulatedMesh([sleeper("a"), sleeper("b", healthy("a"))])
    run = world.living["b"]
    world.end("a", 1)
    world.run_until(5)

    assert {"a": 2, "b": run} == world.living
    assert (1, 0) == (world.machine.services["a"].restarts, world.machine.services["b"].restarts)


def test_a_slow_start_says_why() -> None:
    """What a service that is starting answers is its message, and gone once it is healthy."""
    world = SimulatedMesh([replace(sleeper("a"), probe=TcpProbe(1))])
    world.handle(msg.Probed("a", 1, False, "no answer"))
    starting = (world.machine.services["a"].state, world.machine.services["a"].message)
    world.handle(msg.Probed("a", 1, True, ""))

    assert (State.STARTING, "no answer") == starting
    assert (State.HEALTHY, "") == (world.machine.services["a"].state, world.machine.services["a"].message)


def test_who_crashes_with_its_dependency_waits_for_it() -> None:
    """Both are down; the dependent is not started until the dependency is healthy, so it spends one restart only."""
    world = SimulatedMesh([replace(sleeper("a"), probe=TcpProbe(1)), sleeper("b", healthy("a"))])
    world.probe("a", True)
    world.end("a", 1)
    world.end("b", 1)
    world.run_until(30)

    assert {"a"} == set(world.living)

    world.probe("a", True)

    assert {"a", "b"} == set(world.living)
    assert 1 == world.machine.services["b"].restarts


@pytest.mark.parametrize("event", [msg.Stop("a"), msg.Restart("a")])
def test_a_manual_stop_is_no_crash(event: msg.Stop | msg.Restart) -> None:
    """Neither a stop nor a restart by hand counts, even if the process must be killed."""
    world = SimulatedMesh([sleeper("a")])
    world.by_operator(event)
    world.run_until(20)
    service = world.machine.services["a"]

    assert (0, "signal SIGTERM") == (service.restarts, service.last_exit)
    assert (State.STOPPED if isinstance(event, msg.Stop) else State.HEALTHY) is service.state


def test_a_start_during_a_stop_follows_it() -> None:
    """Started while it stops, it stops and then starts; stopped again meanwhile, it stays down."""
    world = SimulatedMesh([sleeper("a")], obeys={"a"})
    world.by_operator(msg.Stop("a"))
    world.by_operator(msg.Start("a"))
    world.run_until(1)

    assert {"a": 2} == world.living

    world.by_operator(msg.Restart("a"))
    world.by_operator(msg.Stop("a"))
    world.run_until(2)

    assert ({}, State.STOPPED) == (world.living, world.machine.services["a"].state)


def test_news_of_an_earlier_process_is_ignored() -> None:
    """An exit or a probe of a former run changes nothing."""
    world = SimulatedMesh([replace(sleeper("a"), probe=TcpProbe(1))])
    world.end("a", 1)
    world.run_until(5)

    assert [] == world.machine.handle(msg.Exited("a", 1, 0), world.now)
    assert [] == world.machine.handle(msg.Probed("a", 1, True), world.now)
    assert [] == world.machine.handle(msg.Hung("no longer there", 1, ""), world.now)


def test_steps_of_a_stop_come_in_order_and_in_their_time() -> None:
    """PostgreSQL's plan: SIGINT, after its time SIGQUIT, after that SIGKILL."""
    stop = StopPlan((StopStep(signal.SIGINT, 8), StopStep(signal.SIGQUIT, 3)))
    world = SimulatedMesh([replace(sleeper("a"), stop=stop)])
    sent: list[tuple[float, signal.Signals]] = []
    for event, now in (
        (msg.Stop("a"), 0.0),
        (msg.Tick(), 7.9),
        (msg.Tick(), 8.0),
        (msg.Tick(), 10.9),
        (msg.Tick(), 11.0),
    ):
        sent += [(now, action.signal) for action in world.machine.handle(event, now) if isinstance(action, msg.Kill)]

    assert [(0.0, signal.SIGINT), (8.0, signal.SIGQUIT), (11.0, signal.SIGKILL)] == sent


def test_who_stops_first_leaves_time_to_the_others() -> None:
    """A service that ignores its signal is killed early enough for the reserve of what stops after it."""
    slow = StopPlan((StopStep(signal.SIGTERM, 60),), reserve_s=3)
    world = SimulatedMesh([replace(sleeper("a"), stop=slow), replace(sleeper("b", healthy("a")), stop=slow)])
    world.handle(msg.Shutdown("test"))

    assert DEADLINE_S - 3 == world.machine.next_due()


def test_a_hung_process_is_a_crash_by_policy() -> None:
    """It gets its death signal, SIGKILL if it does not die of that, and counts like any other crash."""
    world = SimulatedMesh([replace(sleeper("a"), probe=TcpProbe(1), death_signal=signal.SIGQUIT)])
    world.probe("a", True)
    sent = world.machine.handle(msg.Hung("a", 1, "no answer within 5 s"), 1.0)
    later = world.machine.handle(msg.Tick(), 1.0 + HUNG_WAIT_S)
    service = world.machine.services["a"]

    assert msg.Kill("a", signal.SIGQUIT, leader_only=False) in sent
    assert msg.Kill("a", signal.SIGKILL, leader_only=False) in later
    assert (State.UNHEALTHY, 1) == (service.state, service.hangs)

    world.now = 4
    world.probe("a", True)

    assert State.UNHEALTHY is service.state

    world.end("a", -9)
    world.run_until(5)

    assert (2, 1, "signal SIGKILL (hung: no answer within 5 s)") == (service.run, service.restarts, service.last_exit)


def test_crashes_long_ago_do_not_count() -> None:
    """A service that crashes seldom is never given up, though it is never healthy for the stable time."""
    policy = RestartPolicy(max_restarts=1, window_s=100)
    world = SimulatedMesh([replace(sleeper("a"), policy=policy, probe=TcpProbe(1))])
    for _ in range(5):
        world.crashes.clear()
        world.end("a", 1)
        world.run_until(world.now + 101)

    assert (None, 5) == (world.exit_code, world.machine.services["a"].restarts)


def test_a_checkpoint_comes_before_the_first_signal() -> None:
    """The first signal follows the end of the preparation or its timeout; a hurried stop leaves it out."""
    checkpoint = PostgresProbe(1, "u", "d", Path("p"))
    stop = StopPlan((StopStep(signal.SIGINT, 8),), checkpoint=checkpoint)
    kill = msg.Kill("a", signal.SIGINT, leader_only=False)
    for event, now in ((msg.Prepared("a", 1), 0.1), (msg.Tick(), CHECKPOINT_S)):
        machine = SimulatedMesh([replace(sleeper("a"), stop=stop)]).machine
        first = machine.handle(msg.Stop("a"), 0.0)

        assert msg.Prepare("a", 1) in first
        assert kill not in first
        assert kill in machine.handle(event, now)

    assert kill in SimulatedMesh([replace(sleeper("a"), stop=stop)]).machine.handle(msg.Hurry(), 0.0)


def test_another_plan_restarts_only_what_changed() -> None:
    """The changed get a new process, the new start, the removed stop, the others keep theirs."""
    world = SimulatedMesh([sleeper("a"), sleeper("b", healthy("a")), sleeper("gone"), oneshot("o", "")], {"b", "gone"})
    world.end("o", 0)
    changed = replace(sleeper("b", healthy("a")), reads=("solution.new",))
    world.apply([sleeper("a"), changed, sleeper("new", healthy("b")), oneshot("o", "")], {"b"})
    world.run_until(5)

    assert {"a": 1, "b": 2, "new": 1} == world.living
    assert ["gone"] == world.removed
    assert State.COMPLETED is world.machine.services["o"].state
    assert 0 == world.machine.services["b"].restarts


def test_another_plan_leaves_down_what_was_stopped_by_hand() -> None:
    """A changed service that somebody has stopped has its new plan when it is started."""
    world = SimulatedMesh([sleeper("a"), sleeper("b")], {"a"})
    world.by_operator(msg.Stop("a"))
    world.run_until(1)
    changed = replace(sleeper("a"), reads=("solution.new",))
    world.apply([changed, sleeper("b")], {"a"})

    assert {"b": 1} == world.living

    world.by_operator(msg.Start("a"))

    assert {"a": 2, "b": 1} == world.living
