"""The grammar of observation sources."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshkit import dot
from meshkit.dot import NotDot


def attributes_of(value: str) -> dict[str, str]:
    """Return the attributes of `a [x=value]`."""
    (node,) = dot.read(f"a [x={value}]").nodes
    return node.attributes


def edges_of(source: str) -> set[tuple[str, str]]:
    """Return the edges by the nodes' ids."""
    graph = dot.read(source)
    return {(graph.nodes[one].id, graph.nodes[other].id) for one, other in graph.edges}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("word", "word"),
        ("5", "5"),
        ("-.5", "-.5"),
        ("5.", "5."),
        ('""', ""),
        ('"5s"', "5s"),
        (r'"{\"pair\":\"BTC/USD\"}"', '{"pair":"BTC/USD"}'),
        (r'"\u20ac\x41\101\t"', "€AA\t"),
        ('"// no # comment /* */"', "// no # comment /* */"),
        ('<{"a": 1}>', '{"a": 1}'),
        ("<[1,2]>", "[1,2]"),
        # What Go cannot unquote keeps its quotes, as the node does.
        (r'"\q"', r'"\q"'),
        ('"two\nlines"', '"two\nlines"'),
        (r'"\ud800"', r'"\ud800"'),
        ('"<quoted>"', '"<quoted>"'),
        # Brackets within brackets stay.
        ("<a<b>c>", "<a<b>c>"),
        ("<>", "<>"),
    ],
)
def test_values(value: str, expected: str) -> None:
    """A value is a word, a number, a text in quotes or a text in angles, and is read without them."""
    assert {"x": expected} == attributes_of(value)


def test_statements() -> None:
    """Nodes, edges, chains, comments, ports and attributes of nothing are read; what is said twice is joined."""
    graph = dot.read("""
        // a line /* with
        "a" [type=memo; value=1, "index"=0][more=2] /* two
        lines */ b [x=1] # to the end
        node [shape=box] graph [rank=same] ; label=nothing
        "a" -> b -- c:port:n -> d [color=red]
        b [y=2 x=3]""")

    assert [
        ("a", {"type": "memo", "value": "1", "index": "0", "more": "2"}),
        ("b", {"x": "3", "y": "2"}),
        ("c", {}),
        ("d", {}),
    ] == [(node.id, node.attributes) for node in graph.nodes]
    assert {(0, 1), (1, 2), (2, 3)} == graph.edges


def test_subgraphs() -> None:
    """A subgraph's new nodes are the ends of its edges; nodes that were named before are not."""
    assert {("a", "c"), ("b", "c")} == edges_of("{a b} -> c")
    assert {("a", "b"), ("a", "c")} == edges_of("a -> subgraph x { b; { c } }")
    assert {("b", "c")} == edges_of("a; {a b} -> c")
    assert [] == dot.read("subgraph { }").nodes


def test_a_quoted_name_is_another_node() -> None:
    """A name in quotes and the same without are two nodes of one id, as the node has it."""
    assert ["a", "a"] == [node.id for node in dot.read('"a" a').nodes]


_FAULT = "could not unmarshal DOT into a pipeline.Graph: "
_STATEMENT = 'expected one of "{", "}", graphx, node, edge, subgraph, or id'


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("a [x=5s]", '2:8: error: expected "="; got: "]"'),
        ("a [x=$(b)]", '2:6: error: expected id; got: unknown/invalid token "$"'),
        ("digraph { a }", f'2:1: error: {_STATEMENT}; got: "digraph"'),
        ("strict a", f'2:1: error: {_STATEMENT}; got: "strict"'),
        ("a [x", '3:1: error: expected "="; got: "}"'),
        ("a [x=1", '3:1: error: expected one of ";", "]", ",", or id; got: "}"'),
        ("a ->", '3:1: error: expected one of "{", subgraph or id; got: "}"'),
        ("node", '3:1: error: expected "["; got: "}"'),
        ("a }", '3:1: error: expected one of ␚, strict, graphx, or digraph; got: "}"'),
        ("a } strict graph {}", "invalid number of graphs; expected 1, got 2"),
        (
            "subgraph x { a",
            '3:2: error: expected one of "{", "}", graphx, ";", "--", "->", node, edge, subgraph, or id',
        ),
        ("a -> a", "panic setting edge: simple: adding self edge"),
        ("a [x=\0]", r'2:6: error: expected id; got: unknown/invalid token "\x00"'),
        ('a [x="', r'2:6: error: expected id; got: unknown/invalid token "\"\n}"'),
        ("a\n\nb [=", '4:4: error: expected either "]" or id; got: "="'),
        ("/* for ever", rf'2:1: error: {_STATEMENT}; got: unknown/invalid token "/* for ever\n}}"'),
        ("a [x=<€>]", r'2:6: error: expected id; got: unknown/invalid token "<€>]\n}"'),
        ("{" * 51 + "}" * 51, "found deeper subgraphs, allowed: 50 within one another"),
        (" ".join(f"a{i}" for i in range(1001)), "found more tasks, allowed: at most 1000"),
        (
            "{" + " ".join(f"a{i}" for i in range(300)) + "} -> {" + " ".join(f"b{i}" for i in range(300)) + "}",
            "found more edges, allowed: at most 20000",
        ),
    ],
)
def test_what_is_no_pipeline(source: str, error: str) -> None:
    """Whatever is no statement is refused with place, what is allowed there and what was found, as the node does."""
    with pytest.raises(NotDot) as refusal:
        dot.read(source)
    assert str(refusal.value).startswith(_FAULT + error)


@pytest.mark.parametrize("begin", ["a [x=" + "<" * 200_000, 'a [x="' + "\\\\" * 200_000, "/*" * 200_000, "[" * 200_000])
def test_time_grows_with_length(begin: str) -> None:
    """A text of half a million characters that never ends is refused at once, whatever is left open in it."""
    with pytest.raises(NotDot):
        dot.read(begin)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet='ab5"<>[]{}=;,:-/*#\\ \n$(é', max_size=60))
def test_any_text(source: str) -> None:
    """Any text is read or refused, and what is read has its edges among its nodes."""
    try:
        graph = dot.read(source)
    except NotDot:
        return
    assert all(0 <= place < len(graph.nodes) for edge in graph.edges for place in edge)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40).filter(lambda text: "\0" not in text and not (text.startswith("<") and text.endswith(">"))))
def test_quoting_keeps_every_text(value: str) -> None:
    """A text that is quoted as Go quotes it is read as it was."""
    quoted = value.encode("utf-8", "replace").decode()
    escaped = quoted.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

    assert {"x": quoted} == attributes_of(f'"{escaped}"')
