"""A pipeline as a checked graph of tasks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from meshkit import dot
from services.oracle.pipeline.attributes import Attributes, Common
from services.oracle.pipeline.errors import SpecificationError
from services.oracle.pipeline.parameters import variable_names
from services.oracle.pipeline.task import Task
from services.oracle.pipeline.tasks import registry
from services.oracle.pipeline.tasks.bridge import BridgeTask
from services.oracle.pipeline.tasks.unavailable import UnavailableTask

_RESERVED = "input"


@dataclass(frozen=True, slots=True)
class Step:
    """
    Hold one task and its place in the graph.

    Attributes:
        id: The task's id in the text.
        kind: Its type, in lower case.
        task: What it does.
        common: What it says of its place, its limits and its retries.
        inputs: The tasks whose results it takes, in the order of their `index`, then of the pipeline.
        needs: The tasks that have to be finished before it: inputs, and those its attributes name.
    """

    id: str
    kind: str
    task: Task
    common: Common
    inputs: tuple[str, ...]
    needs: frozenset[str]

    @property
    def timeout_s(self) -> float | None:
        """Return its own limit; None if it has none, 0 if it asks for no limit."""
        return self.common.timeout_s


@dataclass(frozen=True, slots=True)
class Pipeline:
    """
    Hold the steps in an order in which they could run one after the other.

    Attributes:
        source: The text.
        terminals: The tasks whose results nobody takes, in the order of their `index`; an observation needs one only.
        unknown_attributes: `task.attribute` for each attribute that its type of task does not have; it has no effect.
        unavailable: `task.type` for each task of a type that this node does not run: such a task always fails.
    """

    source: str
    steps: tuple[Step, ...]
    terminals: tuple[str, ...]
    unknown_attributes: tuple[str, ...]
    unavailable: tuple[str, ...] = ()

    @property
    def is_chain(self) -> bool:
        """Tell whether each step needs the one before it, so that never two run at the same time."""
        return all(before.id in step.needs for before, step in pairwise(self.steps))

    @classmethod
    def parse(cls, source: str) -> "Pipeline":
        """Read and check an observation source; SpecificationError says what is wrong with it."""
        if not source.strip():
            raise SpecificationError("empty pipeline")
        try:
            graph = dot.read(source)
        except dot.NotDot as error:
            raise SpecificationError(str(error)) from error
        dependencies = _dependencies(graph)
        order = _sorted(dependencies, [node.id for node in graph.nodes])
        rank = {place: position for position, place in enumerate(order)}
        read = _read_all(graph, order)
        _check_ids(graph)

        def by_index(place: int) -> tuple[int, int]:
            return read[place][1].index, rank[place]

        inputs: dict[int, list[int]] = {place: [] for place in order}
        for source_place, target in graph.edges:
            inputs[target].append(source_place)
        names = [node.id for node in graph.nodes]
        steps = tuple(
            Step(
                names[place],
                graph.nodes[place].attributes["type"].lower(),
                read[place][0],
                read[place][1],
                tuple(names[source_place] for source_place in sorted(inputs[place], key=by_index)),
                frozenset(names[needed] for needed in dependencies[place]),
            )
            for place in order
        )
        needed = {place for places in dependencies for place in places}
        terminals = sorted((place for place in order if place not in needed), key=by_index)
        unknown = tuple(f"{names[place]}.{name}" for place in order for name in read[place][2])
        unavailable = tuple(f"{step.id}.{step.kind}" for step in steps if isinstance(step.task, UnavailableTask))
        return cls(source, steps, tuple(names[place] for place in terminals), unknown, unavailable)

    @property
    def is_asynchronous(self) -> bool:
        """Tell whether a task waits for more than its answer, which an observation cannot."""
        return any(
            step.task.is_asynchronous for step in self.steps if isinstance(step.task, BridgeTask | UnavailableTask)
        )

    def bridges(self) -> list[str]:
        """Return the names that its bridge tasks give, each once, in the order of the tasks."""
        return list(dict.fromkeys(step.task.name for step in self.steps if isinstance(step.task, BridgeTask)))


def _read_all(graph: dot.Graph, order: Sequence[int]) -> dict[int, tuple[Task, Common, tuple[str, ...]]]:
    """Read the tasks in their order: of several faults it decides which is told."""
    read: dict[int, tuple[Task, Common, tuple[str, ...]]] = {}
    indexes = set()
    for place in order:
        node = graph.nodes[place]
        if node.id == _RESERVED:
            raise SpecificationError(f"'{_RESERVED}' is a reserved keyword that cannot be used as a task's name")
        read[place] = _read(node)
        index = read[place][1].index
        if index in indexes:
            raise SpecificationError("duplicate sorting indexes detected")
        if index > 0:
            indexes.add(index)
    return read


def _read(node: dot.Node) -> tuple[Task, Common, tuple[str, ...]]:
    attributes = Attributes(node.id, {name: value for name, value in node.attributes.items() if name != "type"})
    task = registry.create(node.attributes.get("type", ""), attributes)
    return task, Common.read(attributes), attributes.unknown()


def _check_ids(graph: dot.Graph) -> None:
    seen = set()
    for node in graph.nodes:
        if node.id in seen:
            raise SpecificationError(f"found two tasks of the name {node.id}, with quotes and without: allowed: one")
        seen.add(node.id)


def _dependencies(graph: dot.Graph) -> list[set[int]]:
    """Return for each node the nodes before it: by edges, and by the variables in its attributes."""
    places = {node.id: place for place, node in enumerate(graph.nodes)}
    found: list[set[int]] = [set() for _ in graph.nodes]
    for source, target in graph.edges:
        found[target].add(source)
    for place, node in enumerate(graph.nodes):
        named = {name for value in node.attributes.values() for name in variable_names(value)}
        found[place] |= {places[name] for name in named if name in places and places[name] != place}
    return found


def _sorted(dependencies: Sequence[set[int]], names: Sequence[str]) -> list[int]:
    """
    Return the nodes, each behind those before it; SpecificationError if they go in a circle.

    It is the order of the node, which decides between inputs of equal index: a depth-first walk, last named first.
    """
    followers: list[list[int]] = [[] for _ in dependencies]
    for place, needs in enumerate(dependencies):
        for needed in needs:
            followers[needed].append(place)
    order = _walked(followers, reversed(range(len(dependencies))))[::-1]
    rank = {place: position for position, place in enumerate(order)}
    if all(rank[needed] < rank[place] for place, needs in enumerate(dependencies) for needed in needs):
        return order
    # Kosaraju's algorithm: what can be reached against the edges, taken in that order, goes in a circle.
    seen: set[int] = set()
    circles = [sorted(_walked(dependencies, (place,), seen)) for place in order]
    shown = " ".join(f"[{' '.join(names[place] for place in circle)}]" for circle in sorted(circles) if len(circle) > 1)
    raise SpecificationError(
        "Unable to topologically sort the graph, cycle detected: "
        f"topo: no topological ordering: cyclic components: [{shown}]"
    )


def _walked(edges: Sequence[Iterable[int]], starts: Iterable[int], seen: set[int] | None = None) -> list[int]:
    """Return the places that are reached and not in `seen`, which they come into: each behind those it leads to."""
    done: list[int] = []
    seen = set() if seen is None else seen
    for start in starts:
        if start in seen:
            continue
        seen.add(start)
        walk = [(start, iter(sorted(edges[start], reverse=True)))]
        while walk:
            place, rest = walk[-1]
            following = next(rest, None)
            if following is None:
                done.append(place)
                walk.pop()
            elif following not in seen:
                seen.add(following)
                walk.append((following, iter(sorted(edges[following], reverse=True))))
    return done
