"""Texts that are no TOML, with what a node of Chainlink's said of each."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.oracle.jobs.reading.toml_faults import syntax_fault

SAID = {
    "[a]\n[a]": "(2, 2): duplicated tables",
    "[]": '(1, 2): unexpected token "]", was expecting a table key',
    'a = "\\u12"': "(1, 6): unfinished unicode escape",
    "a = 1.": "(1, 5): float cannot end with a dot",
    "a = 1..2": "(1, 5): float cannot end with a dot",
    "a = 2020-13-01": '(1, 5): parsing time "2020-13-01": month out of range',
    "a = 1_": "(1, 5): invalid use of _ in number",
    "[[a]": "(1, 4): was expecting token [[, but got unclosed table array key instead",
    "[a]]": "(1, 4): parsing error: keys cannot contain ] character",
    "[a b]": "(1, 2): invalid table array key: invalid key character after whitespace: b",
    "[a.]": "(1, 2): invalid table array key: unexpected end of key",
    "a. = 1": "(1, 1): invalid key: unexpected end of key",
    "a = 1 2": "(1, 7): unexpected token Integer",
    "a = truex": "(1, 9): parsing error: no value can start with x",
    "[a": "(1, 2): unexpected token unclosed table key, was expecting a table key",
    "]": "(1, 1): parsing error: keys cannot contain ] character",
}


@pytest.mark.parametrize("text", SAID)
def test_the_words_are_the_nodes(text: str) -> None:
    """Place and words are what the node said."""
    with pytest.raises(tomllib.TOMLDecodeError) as error:
        tomllib.loads(text)

    assert SAID[text] == syntax_fault(text, str(error.value))


@given(st.text("[]{}=.\"'#\n 01a-_:\\u", max_size=12))
def test_any_text_has_a_fault_or_is_toml(text: str) -> None:
    """Whatever is wrong, something is said of it."""
    told = ""
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        told = str(error)

    assert bool(told) == bool(told and syntax_fault(text, told))
