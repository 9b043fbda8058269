"""
The DOT text of an observation source: the grammar of Graphviz as a Chainlink node reads it.

    statements  { statement [;] }
    statement   subgraph | (node|edge|graph) lists | name = name | vertices [lists]
    vertices    vertex { (-> | --) vertex }             vertex      name [: name [: name]] | subgraph
    subgraph    [subgraph [name]] { statements }        lists       [ { name = name [;|,] } ] …

A node comes to be where it is first named; what is said of it later is added. Attributes of graphs and edges have no
meaning. Names are words, numbers, "texts" or <texts>; `5s` or `$(x)` without quotes are none of these.
"""

import re
from dataclasses import dataclass, field

from services.oracle.pipeline.errors import SpecificationError

# What one job may be made of; the largest known has some two hundred tasks.
_MOST_NODES = 1_000
_MOST_EDGES = 20_000
_DEEPEST = 50
_TOKEN = re.compile(
    r"""
      (?P<space> (?: [ \t\r\n]+ | (?:\#|//)[^\n]*\n | /\*.*?\*/ )+ )
    | (?P<arrow> -> | -- )
    | (?P<mark> [{}\[\];,:=] )
    | (?P<text> "(?:[^"\\\0]|\\[^\0])*+" )
    | (?P<html> <(?:[^<>\0\u0100-\U0010ffff]|<[^<>\0\u0100-\U0010ffff]*+>)*+> )
    | (?P<number> -?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?) )
    | (?P<word> [A-Za-z_\u0080-\U0010ffff][A-Za-z0-9_\u0080-\U0010ffff]* )
    """,
    re.VERBOSE | re.DOTALL,
)
_KEYWORDS = {
    **dict.fromkeys(("node", "Node", "NODE"), "node"),
    **dict.fromkeys(("edge", "Edge", "EDGE"), "edge"),
    **dict.fromkeys(("graph", "Graph", "GRAPH"), "graph"),
    **dict.fromkeys(("digraph", "Digraph", "diGraph", "DiGraph", "DIGRAPH"), "digraph"),
    **dict.fromkeys(("subgraph", "Subgraph", "subGraph", "SubGraph", "SUBGRAPH"), "subgraph"),
    **dict.fromkeys(("strict", "Strict", "STRICT"), "strict"),
}
_ESCAPE = re.compile(
    r"""\\(?: ([abfnrtv\\"]) | ([0-3][0-7]{2}) | x([0-9a-fA-F]{2}) | u([0-9a-fA-F]{4}) | U([0-9a-fA-F]{8}) )""",
    re.VERBOSE,
)
_ESCAPED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"'}
_BRACKETED = re.compile(r"\s*<([^<>]+)>\s*")
_END = "the end"


@dataclass(slots=True)
class Node:
    """Hold one node: its id and its attributes as unquoted text."""

    id: str
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Graph:
    """Hold the nodes in the order in which they are named first, and the edges as pairs of places among them."""

    nodes: list[Node]
    edges: set[tuple[int, int]]


def read(source: str) -> Graph:
    """Return the graph of an observation source; SpecificationError if the text is none."""
    return _Parser(source).graph()


class _Parser:
    """Go through the tokens once."""

    def __init__(self, source: str) -> None:
        self._tokens = _tokens(source)
        self._at = 0
        self._nodes: list[Node] = []
        self._edges: set[tuple[int, int]] = set()
        # As the node does: a quoted name and the same without quotes are two nodes.
        self._places: dict[str, int] = {}
        self._in_subgraph: list[list[int]] = []

    def graph(self) -> Graph:
        self._statements(0)
        if self._kind != _END:
            raise self._unexpected("a statement")
        return Graph(self._nodes, self._edges)

    @property
    def _kind(self) -> str:
        return self._tokens[self._at][0]

    def _next(self) -> str:
        text = self._tokens[self._at][1]
        self._at += 1
        return text

    def _take(self, kind: str, allowed: str) -> str:
        if self._kind != kind:
            raise self._unexpected(allowed)
        return self._next()

    def _unexpected(self, allowed: str) -> SpecificationError:
        kind, text, line = self._tokens[self._at]
        return SpecificationError(f"observationSource line {line}", _END if kind == _END else text, allowed)

    def _statements(self, depth: int) -> None:
        if depth > _DEEPEST:
            raise SpecificationError("observationSource", "deeper subgraphs", f"{_DEEPEST} within one another")
        while self._kind not in (_END, "}"):
            self._statement(depth)
            if self._kind == ";":
                self._next()

    def _statement(self, depth: int) -> None:
        if self._kind in ("graph", "node", "edge"):
            self._next()
            if self._kind != "[":
                raise self._unexpected("[")
            self._lists()
            return
        if self._kind == "name" and self._tokens[self._at + 1][0] == "=":
            self._at += 2
            self._take("name", "a value")
            return
        sources = self._subgraph(depth) if self._kind in ("{", "subgraph") else [self._node()]
        if self._kind != "arrow":
            # Attributes belong to a node that stands alone; behind a subgraph the next statement begins.
            if self._kind == "[" and self._tokens[self._at - 1][0] != "}":
                self._nodes[sources[0]].attributes.update(self._lists())
            return
        while self._kind == "arrow":
            self._next()
            targets = self._subgraph(depth) if self._kind in ("{", "subgraph") else [self._node()]
            self._connect(sources, targets)
            sources = targets
        self._lists()

    def _connect(self, sources: list[int], targets: list[int]) -> None:
        if len(self._edges) + len(sources) * len(targets) > _MOST_EDGES:
            raise SpecificationError("observationSource", "more edges", f"at most {_MOST_EDGES}")
        for source in sources:
            for target in targets:
                if source == target:
                    raise SpecificationError(f"observationSource.{self._nodes[source].id}", "an edge to itself", "none")
                self._edges.add((source, target))

    def _node(self) -> int:
        raw = self._take("name", "a name")
        for _ in range(2):
            if self._kind == ":":
                self._next()
                self._take("name", "a port")
        if raw in self._places:
            return self._places[raw]
        if len(self._nodes) == _MOST_NODES:
            raise SpecificationError("observationSource", "more tasks", f"at most {_MOST_NODES}")
        place = self._places[raw] = len(self._nodes)
        self._nodes.append(Node(_unquote(raw)))
        for collected in self._in_subgraph:
            collected.append(place)
        return place

    def _subgraph(self, depth: int) -> list[int]:
        """Return the nodes that the subgraph names for the first time: the node joins edges to no others."""
        if self._kind == "subgraph":
            self._next()
            if self._kind == "name":
                self._next()
        self._take("{", "{")
        self._in_subgraph.append([])
        self._statements(depth + 1)
        self._take("}", "}")
        return self._in_subgraph.pop()

    def _lists(self) -> dict[str, str]:
        attributes = {}
        while self._kind == "[":
            self._next()
            while self._kind != "]":
                key = _unquote(self._take("name", "] or an attribute"))
                self._take("=", "=")
                # The brackets go where the whole value stands in them.
                value = _unquote(self._take("name", "a value"))
                found = _BRACKETED.fullmatch(value)
                attributes[key] = found[1] if found else value
                if self._kind in (";", ","):
                    self._next()
            self._next()
        return attributes


def _tokens(source: str) -> list[tuple[str, str, int]]:
    """Return kind, text and line of every token; the end is one, and stands twice so that one may look ahead."""
    found, at, line = [], 0, 1
    # A comment may end with the text.
    text = source + "\n"
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise SpecificationError(f"observationSource line {line}", text[at : at + 20].split("\n")[0], "DOT")
        kind, word = str(match.lastgroup), match[0]
        if kind in ("text", "html", "number"):
            kind = "name"
        elif kind == "word":
            kind = _KEYWORDS.get(word, "name")
        elif kind == "mark":
            kind = word
        if kind != "space":
            found.append((kind, word, line))
        line += word.count("\n")
        at = match.end()
    return [*found, (_END, "", line), (_END, "", line)]


def _unquote(name: str) -> str:
    """Return what a name says; a text in quotes that Go could not have written as a literal keeps them."""
    if not name.startswith('"') or (len(name) >= 4 and name.startswith('"<') and name.endswith('>"')):
        return name
    inner = name[1:-1]
    if "\n" in inner:
        return name
    said, at = bytearray(), 0
    while (backslash := inner.find("\\", at)) >= 0:
        said += inner[at:backslash].encode("utf-8", "replace")
        found = _ESCAPE.match(inner, backslash)
        if found is None:
            return name
        letter, octal, byte, short, long = found.groups()
        if letter:
            said += _ESCAPED[letter].encode()
        elif octal or byte:
            said.append(int(octal, 8) if octal else int(byte, 16))
        else:
            code = int(short or long, 16)
            if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
                return name
            said += chr(code).encode()
        at = found.end()
    return (said + inner[at:].encode("utf-8", "replace")).decode("utf-8", "replace")
