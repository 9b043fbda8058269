"""Job texts of any shape, read at a cost that grows with their length."""

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainlink import toml_reader
from chainlink.errors import SpecMalformed

LONG = 200_000


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a=" + "[" * 100_000, "more brackets within brackets up to line 1"),
        ("a=" + "{b=" * 60_000, "more brackets within brackets"),
        (".".join(["a"] * 20_000) + "=1", "more parts of one key"),
        ("[" + ".".join(["a"] * 20_000) + "]", "more parts of one key"),
        ('"a".' * 50_000 + "a=1", "more parts of one key"),
        ("\n" * 50 + "a=" + "[" * 20, "up to line 51"),
        ("a=[" + "1," * 100_000 + "]", "more values"),
        ("".join(f"k{i}=1\n" for i in range(25_000)), "more values"),
        ("a=" + "9" * LONG, "Exceeds the limit|64 bits"),
        ("a=0x" + "f" * LONG, "64 bits"),
        ("a=9223372036854775808", "64 bits"),
        ("a={b=-9223372036854775809}", "b: found 'a number of more than 64 bits"),
        ('a="' + "\\\\" * (LONG // 2), "a text without an end in line 1"),
        ('\na="""' + '\\"' * (LONG // 2), "a text without an end in line 2"),
        ("a='''" + "''" * (LONG // 2), "a text without an end"),
        ("a='" + "b" * LONG, "a text without an end"),
        ('"""\\""" ' * 30_000, "a text without an end|TOML"),
        ("#" + "a" * LONG + "\nx", "TOML"),
        ('a="\\u0000"', "a text with NUL"),
        ('a=["b", "\\u0000"]', "a text with NUL"),
        ('"\\u0000"=1', "a key with NUL"),
        ('a="\0"', "TOML"),
        ('a="\\ud800"', "TOML"),
        ("x" * (toml_reader.LONGEST + 1), "262145 characters"),
        ("=", "TOML"),
    ],
)
def test_hard_texts(text: str, reason: str) -> None:
    """What no job could be is refused at once, with the line where it is too much."""
    with pytest.raises(SpecMalformed, match=reason):
        toml_reader.read(text)


def test_brackets_in_texts() -> None:
    """Brackets, dots and quotes within texts and comments count for nothing, however many there are."""
    dots = "[{." * 1_000
    text = "\n".join(
        (
            f'a="""{dots}\\"""" # {dots}',
            f"b='''{dots}''''",
            f'c="{dots}\\""',
            f"d='{dots}' # it's \"",
            "[x.y]",
            'e={f=["g", 1.5, 2026-01-01T00:00:00.5Z]}',
        )
    )

    assert tomllib.loads(text) == toml_reader.read(text)


ATOMS = st.sampled_from(
    ["a", "=", "1", ".", "[", "]", "{", "}", ",", "\n", '"', '"""', "'", "'''", "\\", "#", " ", "x", "\t", "\r\n", "é"]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(ATOMS, max_size=40).map("".join))
def test_any_text(text: str) -> None:
    """Whatever is within the bounds is read as the parser reads it; what that refuses is refused."""
    try:
        expected = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        with pytest.raises(SpecMalformed):
            toml_reader.read(text)
        return
    try:
        found = toml_reader.read(text)
    except SpecMalformed as error:
        assert "allowed: at most" in str(error)  # noqa: PT017 # only a bound may differ from the parser
        return
    assert expected == found
