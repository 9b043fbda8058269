"""A pipeline as a checked graph of tasks."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.oracle.pipeline import dot
from services.oracle.pipeline.attributes import Attributes, Common
from services.oracle.pipeline.errors import SpecificationError
from services.oracle.pipeline.parameters import variable_names
from services.oracle.pipeline.task import Task
from services.oracle.pipeline.tasks import registry
from services.oracle.pipeline.tasks.bridge import BridgeTask

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
    """

    source: str
    steps: tuple[Step, ...]
    terminals: tuple[str, ...]
    unknown_attributes: tuple[str, ...]

    @classmethod
    def parse(cls, source: str) -> "Pipeline":
        """Read and check an observation source; SpecificationError says what is wrong with it."""
        graph = dot.read(source)
        if not graph.nodes:
            raise SpecificationError("observationSource", "no tasks", "at least one task")
        _check_ids(graph)
        dependencies = _dependencies(graph)
        order = _sorted(dependencies)
        rank = {place: position for position, place in enumerate(order)}
        read = {place: _read(graph.nodes[place]) for place in order}
        _check_indexes([common for _, common, _ in read.values()])

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
        return cls(source, steps, tuple(names[place] for place in terminals), unknown)

    def bridges(self) -> list[str]:
        """Return the names of the bridges it uses, as far as they are written in the text."""
        used = [step.task.name for step in self.steps if isinstance(step.task, BridgeTask)]
        return [name for name in used if "$(" not in name]


def _read(node: dot.Node) -> tuple[Task, Common, tuple[str, ...]]:
    attributes = Attributes(node.id, {name: value for name, value in node.attributes.items() if name != "type"})
    common = Common.read(attributes)
    return registry.create(node.attributes.get("type", "").lower(), attributes), common, attributes.unknown()


def _check_ids(graph: dot.Graph) -> None:
    seen = set()
    for node in graph.nodes:
        if node.id == _RESERVED:
            raise SpecificationError(f"observationSource.{_RESERVED}", "a task", "another name: this one is reserved")
        if node.id in seen:
            raise SpecificationError(f"observationSource.{node.id}", "two tasks of this name", "one")
        seen.add(node.id)


def _check_indexes(every: Sequence[Common]) -> None:
    indexes = [common.index for common in every if common.index > 0]
    if len(indexes) != len(set(indexes)):
        raise SpecificationError("observationSource", "an index twice", "duplicate sorting indexes detected: each once")


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


def _sorted(dependencies: Sequence[set[int]]) -> list[int]:
    """
    Return the nodes, each behind those before it; SpecificationError if they go in a circle.

    It is the order of the node, which decides between inputs of equal index: a depth-first walk, last named first.
    """
    followers: list[list[int]] = [[] for _ in dependencies]
    for place, needs in enumerate(dependencies):
        for needed in needs:
            followers[needed].append(place)
    done: list[int] = []
    state = [0] * len(dependencies)
    for start in reversed(range(len(dependencies))):
        if state[start]:
            continue
        state[start] = 1
        walk = [(start, iter(sorted(followers[start], reverse=True)))]
        while walk:
            place, rest = walk[-1]
            following = next(rest, None)
            if following is None:
                state[place] = 2
                done.append(place)
                walk.pop()
            elif state[following] == 1:
                raise SpecificationError("observationSource", "a cycle", "no cycle: no topological ordering")
            elif state[following] == 0:
                state[following] = 1
                walk.append((following, iter(sorted(followers[following], reverse=True))))
    return done[::-1]
