"""The order of the services and what is refused."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.supervisor.errors import InvalidPlan
from services.supervisor.plan.dependency_graph import DependencyGraph
from services.supervisor.plan.service_spec import Condition, Dependency, Kind, ServiceSpec
from tests.supervisor.fakes import completed, healthy, oneshot, sleeper


@st.composite
def acyclic_plans(draw: st.DrawFn) -> list[ServiceSpec]:
    """Draw up to 12 services whose edges point to services before them, listed in any order."""
    specs: list[ServiceSpec] = []
    for index in range(draw(st.integers(1, 12))):
        needs = []
        for other in specs:
            if draw(st.integers(0, 2)) == 0:
                end = Condition.COMPLETED if other.kind is Kind.ONESHOT else Condition.HEALTHY
                needs.append(Dependency(other.name, draw(st.sampled_from([Condition.STARTED, end]))))
        kind = draw(st.sampled_from(Kind))
        specs.append(replace(sleeper(f"s-{index}"), kind=kind, needs=tuple(needs)))
    return draw(st.permutations(specs))


@given(acyclic_plans())
def test_waves_put_every_service_after_what_it_needs(specs: list[ServiceSpec]) -> None:
    """Each service is in exactly one wave, a later one than all its dependencies and the first such."""
    graph = DependencyGraph(specs)
    wave_of = {name: number for number, wave in enumerate(graph.waves) for name in wave}

    assert sorted(spec.name for spec in specs) == sorted(graph.order)
    for spec in specs:
        assert max((wave_of[edge.name] + 1 for edge in spec.needs), default=0) == wave_of[spec.name]


@given(acyclic_plans())
def test_dependents_are_transitive(specs: list[ServiceSpec]) -> None:
    """A service's dependents are its direct ones and all of theirs."""
    graph = DependencyGraph(specs)
    for name in graph.order:
        direct = {spec.name for spec in specs if any(edge.name == name for edge in spec.needs)}

        assert direct.union(*(graph.dependents(other) for other in direct)) == graph.dependents(name)


def test_names_are_in_natural_order_within_a_wave() -> None:
    """Node 10 comes after node 9."""
    graph = DependencyGraph([sleeper("node-10"), sleeper("node-9"), sleeper("node-1")])

    assert (("node-1", "node-9", "node-10"),) == graph.waves


@pytest.mark.parametrize(
    ("specs", "field", "found"),
    [
        ([sleeper("a", healthy("b")), sleeper("b")][:1], "services.a.needs", "b"),
        ([sleeper("a", healthy("a"))], "services.a.needs", "a → a"),
        ([sleeper("a"), sleeper("a")], "services.name", "a"),
        ([sleeper("Upper")], "services.name", "Upper"),
        ([sleeper("../escape")], "services.name", "../escape"),
        ([oneshot("o", ""), sleeper("a", healthy("o"))], "services.a.needs", "o healthy"),
        ([sleeper("l"), sleeper("a", completed("l"))], "services.a.needs", "l completed"),
        ([replace(sleeper("a"), command=())], "services.a.command", ()),
        ([replace(sleeper("a"), ports=(80,)), replace(sleeper("b"), ports=(80,))], "services.b.ports", "80"),
        (
            [replace(sleeper("a"), sockets=(Path("/x"),)), replace(sleeper("b"), sockets=(Path("/x"),))],
            "services.b.sockets",
            "/x",
        ),
    ],
)
def test_a_bad_plan_is_refused(specs: list[ServiceSpec], field: str, found: object) -> None:
    """The error names the field and what was found there."""
    with pytest.raises(InvalidPlan) as caught:
        DependencyGraph(specs)

    assert (field, found) == (caught.value.field, caught.value.found)


def test_a_cycle_is_told_in_the_order_of_waiting() -> None:
    """The error lists who waits for whom, back to the first."""
    with pytest.raises(InvalidPlan) as caught:
        DependencyGraph(
            [sleeper("a", healthy("b")), sleeper("b", healthy("c")), sleeper("c", healthy("a")), sleeper("d")]
        )
    words = str(caught.value.found).split(" → ")

    assert words[0] == words[-1]
    assert {("a", "b"), ("b", "c"), ("c", "a")} == set(pairwise(words))


def test_an_unknown_name_gets_the_nearest_one() -> None:
    """A misspelt dependency is answered with the name that was meant."""
    with pytest.raises(InvalidPlan, match="nearest 'postgres'"):
        DependencyGraph([sleeper("postgres"), sleeper("a", healthy("postgress"))])
