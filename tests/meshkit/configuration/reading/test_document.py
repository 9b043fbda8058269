"""Reading the file's JSON."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.configuration.faults.problem import InvalidConfiguration, Place, Problem
from meshkit.configuration.reading.document import Document, read

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text('a"\\{}[]:,\n', max_size=3), below, max_size=3),
    max_leaves=8,
)


def places(value: Any, place: Place = ()) -> list[Place]:
    """Return every place of a value, in its order."""
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [each for name, inner in below for each in ((*place, name), *places(inner, (*place, name)))]


@given(VALUES, st.sampled_from([None, 0, 2]))
def test_every_place_has_its_line(value: Any, indent: int | None) -> None:
    """Whatever the keys are called, and however the text is broken into lines."""
    content = json.dumps(value, indent=indent, ensure_ascii=False)
    lines = Document(Path("x"), content, value).lines

    assert sorted(map(repr, places(value))) == sorted(map(repr, lines))
    for place, number in lines.items():
        if isinstance(place[-1], str):
            assert json.dumps(place[-1], ensure_ascii=False) in content.split("\n")[number - 1]
    assert list(lines.values()) == sorted(lines.values())


def test_what_is_missing_is_at_the_line_of_what_it_is_missing_in() -> None:
    """A problem without a place keeps none."""
    document = Document(Path("x"), '{\n"a": {\n"b": 1\n}\n}', {})
    assert 2 == document.located(Problem(("a", "c"), "", "")).line
    assert 3 == document.located(Problem(("a", "b"), "", "")).line
    assert 0 == document.located(Problem((), "", "")).line


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', "the key 'c' twice in one object"),
        (b'{"a": NaN}', "the number NaN"),
        (b'{"a": -1e999}', "the number -1e999"),
        (b'{"a": "\xff"}', "text that is no Unicode"),
        (b'{"a": "\\ud800"}', "text that is no Unicode"),
        (b'{"a":\n}', "no JSON: Expecting value (column 1)"),
        (b"[" * 100_000, "JSON that is nested without end"),
    ],
    ids=["twice", "NaN", "too large", "bytes", "surrogate", "syntax", "depth"],
)
def test_what_is_no_json_is_refused(tmp_path: Path, content: bytes, found: str) -> None:
    """In one line that says what is there."""
    file = tmp_path / "configuration.json"
    file.write_bytes(content)
    with pytest.raises(InvalidConfiguration) as caught:
        read(file)
    assert [found] == [problem.found for problem in caught.value.problems]
