"""Tasks and arrows of a pipeline."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.dot import NotDot
from meshkit.job_templates import tasks


def test_tasks_arrows_and_comments_are_read() -> None:
    """As a node reads them: what braces name again, here a, gets no arrow; values may stand in quotes and brackets."""
    read = tasks.read(
        """
        // of two sources
        a [type="http" method=GET, url="http://h/\\"x\\""]; b [type=jsonparse Path=<a,b>] # and
        {a c} -> b -> m; /* one
        more */ m [type=median values=<[$(b), $( d.x )]>]
        """
    )

    assert {"type": "http", "method": "GET", "url": 'http://h/"x"'} == read.attributes["a"]
    assert {"type": "jsonparse", "path": "a,b"} == read.attributes["b"]
    assert {"b": ["c"], "m": ["b"]} == read.before
    assert ("b", "d") == tasks.references(read.attributes["m"]["values"])
    assert ("a", "m") == read.last


@pytest.mark.parametrize("text", ["a [type=http", "a -> ;", "-> a", "a [type]", 'a [b="c]'])
def test_what_is_no_pipeline_is_said(text: str) -> None:
    """A text that ends too soon, or begins with an arrow, is refused."""
    with pytest.raises(NotDot):
        tasks.read(text)


@given(st.text(alphabet='ab->{}[]=,;"<> $()\\/*#\n', max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text ends in any other error."""
    with contextlib.suppress(NotDot):
        tasks.read(text)
