"""
The DOT text of an observation source, read by pydot after Chainlink's quoting was made DOT's.

Chainlink writes values that DOT does not know (`timeout=5s`, `times=$(x)`, `data=<{"a": 1}>`) and an attribute `name`
that pydot cannot take. Every value is therefore quoted, and every attribute prefixed, before pydot sees the text.
"""

import contextlib
import io
import re
import warnings
from dataclasses import dataclass

from pyparsing import pyparsing_unicode

from services.oracle.pipeline.errors import SpecificationError

# Task ids are ASCII. pydot makes its grammar of every letter of this plane, which would hold 17 MB in each node.
pyparsing_unicode.BasicMultilingualPlane._ranges = [(0x20, 0x7E)]
with warnings.catch_warnings():
    # pydot's parser, which it imports on first use, still calls pyparsing by names that are deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    import pydot
    import pydot.dot_parser

_PREFIX = "a_"
_PART = re.compile(
    r"""
      (?P<comment> //[^\n]* | /\*.*?\*/ | ^\s*\#[^\n]* )
    | (?P<key> [A-Za-z_]\w* ) \s* = \s* (?:
          (?P<quoted> "(?:[^"\\]|\\.)*" )
        | <(?P<angled> .*? )> (?= \s* (?: \] | ; | , | $ | [A-Za-z_]\w*\s*= ) )
        | (?P<bare> (?: \$\([^)\n]*\) | [^\s"<>\[\],;] )+ )
      )
    | (?P<string> "(?:[^"\\]|\\.)*" )
    """,
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)
_NAME = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class Node:
    """Hold one node: its id and its attributes as unquoted text."""

    id: str
    attributes: dict[str, str]


def read(text: str) -> tuple[list[Node], list[tuple[str, str]]]:
    """Return the nodes and the edges of a pipeline in the order of the text; SpecificationError if it is none."""
    complaint = io.StringIO()
    # pydot prints where the text stopped making sense, and says nothing else.
    with contextlib.redirect_stdout(complaint):
        graphs = pydot.graph_from_dot_data(f"digraph {{\n{_PART.sub(_quote, text)}\n}}")
    if not graphs or len(graphs) != 1:
        found = complaint.getvalue().strip().splitlines() or ["no graph"]
        raise SpecificationError("observationSource", found[-1], "a pipeline in DOT")
    graph = graphs[0]
    if graph.get_subgraphs():
        raise SpecificationError("observationSource", "a subgraph", "tasks and edges")
    nodes: dict[str, Node] = {}
    for found_node in graph.get_nodes():
        name = _task_name(found_node.get_name())
        if name in ("node", "edge", "graph"):
            continue
        if name in nodes:
            raise SpecificationError(f"observationSource.{name}", "two definitions", "one")
        nodes[name] = Node(name, _attributes(name, found_node.get_attributes()))
    edges = [(_task_name(edge.get_source()), _task_name(edge.get_destination())) for edge in graph.get_edges()]
    for name in (name for edge in edges for name in edge):
        if name not in nodes:
            raise SpecificationError(f"observationSource.{name}", "an edge to it", "tasks that are defined")
    return list(nodes.values()), edges


def _quote(found: re.Match[str]) -> str:
    if found["comment"] is not None:
        return "\n"
    if found["key"] is None:
        return found[0]
    value = found["quoted"]
    if value is None:
        raw = found["angled"] if found["angled"] is not None else found["bare"]
        escaped = raw.replace("\\", "\\\\").replace('"', '\\"')
        value = f'"{escaped}"'
    return f"{_PREFIX}{found['key']}={value}"


def _task_name(name: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise SpecificationError("observationSource", str(name)[:40], "task ids of letters, digits and underscores")
    return name


def _attributes(task: str, found: dict[str, str | None]) -> dict[str, str]:
    attributes = {}
    for key, value in found.items():
        if value is None or not key.startswith(_PREFIX) or not value.startswith('"'):
            raise SpecificationError(f"observationSource.{task}", f"{key!r} without a value", "name=value")
        attributes[key.removeprefix(_PREFIX)] = re.sub(r'\\(["\\])', r"\1", value[1:-1])
    return attributes
