"""Tasks and arrows of a pipeline."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.job_templates import dot


def test_tasks_arrows_and_comments_are_read() -> None:
    """Attributes stand in quotes, angle brackets or as words; arrows chain and fan in."""
    tasks = dot.read(
        """
        // of two sources
        a [type="http" method=GET, url="http://h/\\"x\\""]; b [type=jsonparse Path=<a,b>] # and
        {a c} -> b -> m; /* one
        more */ m [type=median values=<[$(b), $( d.x )]>]
        """
    )

    assert {"type": "http", "method": "GET", "url": 'http://h/"x"'} == tasks.attributes["a"]
    assert {"type": "jsonparse", "path": "a,b"} == tasks.attributes["b"]
    assert {"b": ["a", "c"], "m": ["b"]} == tasks.before
    assert ("b", "d") == dot.references(tasks.attributes["m"]["values"])
    assert ("m",) == tasks.last


@pytest.mark.parametrize("text", ["a [type=http", "a -> ;", "-> a", "a [type]", 'a [b="c]'])
def test_what_is_no_pipeline_is_said(text: str) -> None:
    """A text that ends too soon, or begins with an arrow, is refused."""
    with pytest.raises(dot.NotDot):
        dot.read(text)


@given(st.text(alphabet='ab->{}[]=,;"<> $()\\/*#\n', max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text ends in any other error."""
    with contextlib.suppress(dot.NotDot):
        dot.read(text)
