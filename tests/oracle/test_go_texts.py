"""Texts as Go prints them."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.go_quoted import quoted
from services.oracle import go_texts


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a", '"a"'), ('"\\', r'"\"\\"'), ("\n\t\x00\x7f", r'"\n\t\x00\x7f"'), ("é€", '"é€"'), ("\u200b", r'"\u200b"')],
)
def test_quoted(text: str, expected: str) -> None:
    """What can be printed stands as it is, all else is escaped."""
    assert expected == quoted(text)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", 'time: invalid duration ""'),
        ("soon", 'time: invalid duration "soon"'),
        ("-", 'time: invalid duration "-"'),
        (".s", 'time: invalid duration ".s"'),
        ("10", 'time: missing unit in duration "10"'),
        ("1s5", 'time: missing unit in duration "1s5"'),
        ("10x", 'time: unknown unit "x" in duration "10x"'),
        ("1 s", 'time: unknown unit " s" in duration "1 s"'),
        ("9999999999h", 'time: invalid duration "9999999999h"'),
    ],
)
def test_what_is_no_duration(text: str, error: str) -> None:
    """A text that is no duration is refused in the words of Go's parser."""
    with pytest.raises(ValueError) as refusal:
        go_texts.duration_ns(text)
    assert error == str(refusal.value)


@pytest.mark.parametrize(
    ("parse", "text", "error"),
    [
        (lambda text: go_texts.integer(text, 32), "x", 'strconv.ParseInt: parsing "x": invalid syntax'),
        (lambda text: go_texts.integer(text, 32), "٣", 'strconv.ParseInt: parsing "٣": invalid syntax'),
        (lambda text: go_texts.integer(text, 64, "Atoi"), "1.5", 'strconv.Atoi: parsing "1.5": invalid syntax'),
        (lambda text: go_texts.integer(text, 32), "2147483648", 'strconv.ParseInt: parsing "2147483648": value out of'),
        (lambda text: go_texts.natural(text, 32), "-1", 'strconv.ParseUint: parsing "-1": invalid syntax'),
        (
            lambda text: go_texts.natural(text, 32),
            "4294967296",
            'strconv.ParseUint: parsing "4294967296": value out of',
        ),
        (lambda text: go_texts.integer(text, 64), "9" * 5000, 'strconv.ParseInt: parsing "999'),
        (go_texts.boolean, "yes", 'strconv.ParseBool: parsing "yes": invalid syntax'),
    ],
)
def test_what_is_no_number(parse: Callable[[str], object], text: str, error: str) -> None:
    """What is no number, or one that is too large, is refused in the words of Go's parser, shortened if it is long."""
    with pytest.raises(ValueError) as refusal:
        parse(text)
    assert str(refusal.value).startswith(error)
    assert len(str(refusal.value)) < 200


@given(st.integers(-(2**31), 2**31 - 1))
def test_numbers(number: int) -> None:
    """Every number of 32 bits is read as it was written, and those from 0 are natural."""
    assert number == go_texts.integer(str(number), 32)
    if number >= 0:
        assert number == go_texts.natural(str(number), 32)
