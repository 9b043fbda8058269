"""A pipeline as a checked graph of tasks."""

import graphlib
from collections.abc import Mapping
from dataclasses import dataclass

from chainlink.units import parse_duration_s
from services.oracle.pipeline import dot, tasks, variables
from services.oracle.pipeline.errors import SpecificationError
from services.oracle.pipeline.task import Task

_BUILT_IN = ("jobRun", "jb", "jobSpec")


@dataclass(frozen=True, slots=True)
class Step:
    """
    Hold one task and its place in the graph.

    Attributes:
        id: The task's id in the text.
        kind: Its type in the text.
        task: What it does.
        inputs: The tasks whose results it takes, in the order of their `index`, then of the text.
        needs: The tasks that have to be finished before it: inputs, and those its attributes name.
        timeout_s: Its own limit; None if it has none, 0 if it asks for no limit.
        fail_early: Whether its failure ends the run.
    """

    id: str
    kind: str
    task: Task
    inputs: tuple[str, ...]
    needs: frozenset[str]
    timeout_s: float | None
    fail_early: bool


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Hold the steps in an order in which they could run one after the other; the last one is the result."""

    source: str
    steps: tuple[Step, ...]
    terminal: str

    @classmethod
    def parse(cls, source: str) -> "Pipeline":
        """Read and check an observation source; SpecificationError says what is wrong with it."""
        nodes, edges = dot.read(source)
        if not nodes:
            raise SpecificationError("observationSource", "no tasks", "at least one task")
        ids = [node.id for node in nodes]
        order = {node.id: (_index(node), place) for place, node in enumerate(nodes)}
        steps = {node.id: _step(node, edges, ids, order) for node in nodes}
        try:
            sequence = list(graphlib.TopologicalSorter({step.id: step.needs for step in steps.values()}).static_order())
        except graphlib.CycleError as error:
            raise SpecificationError("observationSource", " -> ".join(error.args[1]), "no cycle") from error
        needed = {name for step in steps.values() for name in step.needs}
        terminals = [name for name in ids if name not in needed]
        if len(terminals) != 1:
            raise SpecificationError("observationSource", f"{len(terminals)} terminal tasks", "exactly one")
        return cls(source, tuple(steps[name] for name in sequence), terminals[0])

    def bridges(self) -> list[str]:
        """Return the names of the bridges it uses, as far as they are written in the text."""
        used = [step.task.name for step in self.steps if isinstance(step.task, tasks.BridgeTask)]
        return [name for name in used if "$(" not in name]


def _index(node: dot.Node) -> int:
    text = node.attributes.get("index", "0")
    if not text.isdigit():
        raise SpecificationError(f"observationSource.{node.id}.index", text, "a number from 0")
    return int(text)


def _step(node: dot.Node, edges: list[tuple[str, str]], ids: list[str], order: Mapping[str, tuple[int, int]]) -> Step:
    attributes = dict(node.attributes)
    attributes.pop("index", None)
    timeout = attributes.pop("timeout", None)
    fail_early = attributes.pop("failEarly", "false")
    for ignored in ("tags", "streamID"):
        attributes.pop(ignored, None)
    inputs = sorted({source for source, target in edges if target == node.id}, key=order.__getitem__)
    named = {name for value in attributes.values() for name in variables.names(value)} - set(_BUILT_IN)
    for name in named:
        if name not in ids:
            raise SpecificationError(f"observationSource.{node.id}", f"$({name})", "tasks of the pipeline or jobRun")
    try:
        timeout_s = None if timeout is None else parse_duration_s(timeout)
    except ValueError as error:
        raise SpecificationError(f"observationSource.{node.id}.timeout", timeout, str(error)) from error
    task = tasks.create(node.id, attributes)
    needs = frozenset(inputs) | named
    return Step(node.id, node.attributes["type"], task, tuple(inputs), needs, timeout_s, fail_early.lower() == "true")
