"""Bytes cut into lines."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from services.supervisor.logs.lines import LINE_BYTES, LineSplitter


@given(st.binary(max_size=200), st.lists(st.integers(0, 200)))
def test_lines_do_not_depend_on_how_the_bytes_come(content: bytes, cuts: list[int]) -> None:
    """Any division into pieces gives the lines of the whole, in text that is valid UTF-8."""
    splitter = LineSplitter()
    edges = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    lines = [line for a, b in pairwise(edges) for line in splitter.feed(content[a:b])]
    lines += splitter.end()
    expected = content.split(b"\n")
    expected = expected if expected[-1] else expected[:-1]

    assert [line.removesuffix(b"\r").decode(errors="replace") for line in expected] == lines
    assert "".join(lines) == "".join(lines).encode().decode()


@given(st.integers(0, 3 * LINE_BYTES), st.integers(1, 70_000))
def test_a_long_line_is_cut_once(length: int, piece: int) -> None:
    """A line beyond the limit becomes one line of the limit's length that says so; the next line is whole."""
    splitter = LineSplitter()
    content = b"x" * length + b"\nnext\n"
    lines = [line for at in range(0, len(content), piece) for line in splitter.feed(content[at : at + piece])]

    assert "next" == lines[-1]
    assert 2 == len(lines)
    if length <= LINE_BYTES:
        assert "x" * length == lines[0]
    else:
        assert LINE_BYTES == len(lines[0])
        assert lines[0].endswith("x [cut]")


def test_a_line_without_end_costs_no_memory() -> None:
    """A hundred megabytes without a newline are one line of 16 KiB."""
    splitter = LineSplitter()
    lines = [line for _ in range(1600) for line in splitter.feed(b"x" * 65_536)]

    assert [LINE_BYTES] == [len(line) for line in lines]
    assert [] == splitter.end()
