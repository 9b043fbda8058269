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

from meshkit.go_quoted import quoted

# What one job may be made of; the largest known has some two hundred tasks.
_MOST_NODES = 1_000
_MOST_EDGES = 20_000
_DEEPEST = 50
_MOST_PORTS = 2
_LONGEST_SHOWN = 200
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
_END = "end-of-file"
_INVALID = "invalid"
# How a node reads a text, and at which token of it its statements begin.
_WRAPPED, _FIRST = "digraph {{\n{}\n}}", 2
_FAULT = "could not unmarshal DOT into a pipeline.Graph: "
_BEGINS = ("name", "graph", "node", "edge", "subgraph", "{")
_STATEMENT = 'one of "{", "}", graphx, node, edge, subgraph, or id'
_GRAPH = "one of \u241a, strict, graphx, or digraph"
_ATTRIBUTE = 'either "]" or id'
# Of a text, a comment or an angle that does not end, all is one token; of most others the next character belongs to it.
_UNREADABLE = re.compile(r"""["<].*|/\*.*|[-./].?|.""", re.DOTALL)


class NotDot(ValueError):
    """A text is no observation source; the words are those of a Chainlink node."""


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
    """Return the graph of an observation source; NotDot if the text is none."""
    return _Parser(source).graph()


class _Parser:
    """Go through the tokens once."""

    def __init__(self, source: str) -> None:
        self._text = _WRAPPED.format(source)
        self._tokens = _tokens(self._text)
        self._at = _FIRST
        self._nodes: list[Node] = []
        self._edges: set[tuple[int, int]] = set()
        # As the node does: a quoted name and the same without quotes are two nodes.
        self._places: dict[str, int] = {}
        self._in_subgraph: list[list[int]] = []

    def graph(self) -> Graph:
        self._statements(0)
        if self._kind in ("strict", "graph", "digraph"):
            raise NotDot(f"{_FAULT}invalid number of graphs; expected 1, got 2")
        if self._kind != _END:
            raise self._unexpected(_GRAPH)
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

    def _unexpected(self, allowed: str) -> NotDot:
        kind, text, offset = self._tokens[self._at]
        line_start = self._text.rfind("\n", 0, offset) + 1
        place = f"{self._text.count(chr(10), 0, offset) + 1}:{offset - line_start + 1}"
        found = "unknown/invalid token " + quoted(text[:_LONGEST_SHOWN]) if kind == _INVALID else quoted(text)
        return NotDot(f"{_FAULT}{place}: error: expected {allowed}; got: {found if text else kind}")

    def _statements(self, depth: int) -> None:
        """Read statements and the bracket behind them."""
        if depth > _DEEPEST:
            raise NotDot(f"{_FAULT}found deeper subgraphs, allowed: {_DEEPEST} within one another")
        allowed = _STATEMENT
        while self._kind in _BEGINS:
            allowed = self._statement(depth)
            if self._kind == ";":
                self._next()
                allowed = _STATEMENT
        self._take("}", allowed)

    def _statement(self, depth: int) -> str:
        """Read a statement; return what may stand behind it."""
        if self._kind in ("graph", "node", "edge"):
            self._next()
            if self._kind != "[":
                raise self._unexpected('"["')
            self._lists()
            return _behind(lists=True)
        if self._kind == "name" and self._tokens[self._at + 1][0] == "=":
            self._at += 2
            self._take("name", "id")
            return _behind()
        begins_with_node = self._kind == "name"
        sources, allowed = self._vertex(depth, is_first=True)
        if self._kind != "arrow":
            # Attributes belong to a node that stands alone; behind a subgraph the next statement begins.
            if self._kind == "[" and begins_with_node:
                self._nodes[sources[0]].attributes.update(self._lists())
                return _behind(lists=True)
            return allowed
        while self._kind == "arrow":
            self._next()
            if self._kind not in ("{", "subgraph", "name"):
                raise self._unexpected('one of "{", subgraph or id')
            targets, allowed = self._vertex(depth, is_first=False)
            self._connect(sources, targets)
            sources = targets
        if self._kind == "[":
            self._lists()
            return _behind(lists=True)
        return allowed

    def _vertex(self, depth: int, *, is_first: bool) -> tuple[list[int], str]:
        """Read one end of edges; return its nodes, and what may stand behind it."""
        if self._kind in ("{", "subgraph"):
            return self._subgraph(depth), _behind(edges=True, lists=not is_first)
        place, ports = self._node()
        return [place], _behind(edges=True, lists=True, value=is_first and not ports, port=ports < _MOST_PORTS)

    def _connect(self, sources: list[int], targets: list[int]) -> None:
        if len(self._edges) + len(sources) * len(targets) > _MOST_EDGES:
            raise NotDot(f"{_FAULT}found more edges, allowed: at most {_MOST_EDGES}")
        for source in sources:
            for target in targets:
                if source == target:
                    raise NotDot(f"{_FAULT}panic setting edge: simple: adding self edge")
                self._edges.add((source, target))

    def _node(self) -> tuple[int, int]:
        """Read a node's name; return its place, and how many ports it names."""
        raw, ports = self._take("name", "id"), 0
        while ports < _MOST_PORTS and self._kind == ":":
            self._next()
            self._take("name", "id")
            ports += 1
        if raw in self._places:
            return self._places[raw], ports
        if len(self._nodes) == _MOST_NODES:
            raise NotDot(f"{_FAULT}found more tasks, allowed: at most {_MOST_NODES}")
        place = self._places[raw] = len(self._nodes)
        self._nodes.append(Node(_unquote(raw)))
        for collected in self._in_subgraph:
            collected.append(place)
        return place, ports

    def _subgraph(self, depth: int) -> list[int]:
        """Return the nodes that the subgraph names for the first time: the node joins edges to no others."""
        if self._kind == "subgraph":
            self._next()
            allowed = 'either "{" or id'
            if self._kind == "name":
                self._next()
                allowed = '"{"'
            if self._kind != "{":
                raise self._unexpected(allowed)
        self._next()
        self._in_subgraph.append([])
        self._statements(depth + 1)
        return self._in_subgraph.pop()

    def _lists(self) -> dict[str, str]:
        attributes = {}
        while self._kind == "[":
            self._next()
            allowed = _ATTRIBUTE
            while self._kind != "]":
                key = _unquote(self._take("name", allowed))
                self._take("=", '"="')
                # The brackets go where the whole value stands in them.
                value = _unquote(self._take("name", "id"))
                found = _BRACKETED.fullmatch(value)
                attributes[key] = found[1] if found else value
                allowed = 'one of ";", "]", ",", or id'
                if self._kind in (";", ","):
                    self._next()
                    allowed = _ATTRIBUTE
            self._next()
        return attributes


def _behind(*, edges: bool = False, lists: bool = False, value: bool = False, port: bool = False) -> str:
    """Return what may stand behind a part of a statement, in the order and the words of the node's parser."""
    tokens = ['"{"', '"}"', "graphx", '";"', *(['"--"', '"->"'] if edges else []), "node", "edge"]
    tokens += [*(['"["'] if lists else []), *(['"="'] if value else []), "subgraph", *(['":"'] if port else [])]
    return f"one of {', '.join(tokens)}, or id"


def _tokens(text: str) -> list[tuple[str, str, int]]:
    """Return kind, text and offset of every token; the end is one, and stands twice so that one may look ahead."""
    found, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            # The rest is not read: no statement goes on with this.
            found.append((_INVALID, str(_UNREADABLE.match(text, at)[0]), at))  # type: ignore[index]
            break
        kind, word = str(match.lastgroup), match[0]
        if kind in ("text", "html", "number"):
            kind = "name"
        elif kind == "word":
            kind = _KEYWORDS.get(word, "name")
        elif kind == "mark":
            kind = word
        if kind != "space":
            found.append((kind, word, at))
        at = match.end()
    return [*found, (_END, "", len(text)), (_END, "", len(text))]


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
