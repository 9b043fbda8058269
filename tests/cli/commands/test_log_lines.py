"""Log lines as people and programs read them."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.commands.log_lines import LEVELS, read_line

AT_MS = 1_700_000_000_123
LINE = orjson.dumps(
    {
        "source": "kraken",
        "error": "HTTP 500: try later",
        "count": 3,
        "event": "source_availability",
        "level": "warning",
        "time": "2023-11-14T22:13:20.123Z",
        "service": "price-aggregator",
    }
).decode()


def test_a_line_is_time_level_service_message_fields() -> None:
    """A line of JSON comes in the order in which one reads; a text with spaces is quoted, a number is not."""
    assert (
        '22:13:20.123 warning  price-aggregator   source_availability source=kraken error="HTTP 500: try later" count=3'
    ) == read_line("price-aggregator", AT_MS, LINE).text


def test_a_line_for_programs_is_flat() -> None:
    """The parts of a line stand beside each other, and no JSON stands in a text."""
    assert {
        "source": "kraken",
        "error": "HTTP 500: try later",
        "count": 3,
        "service": "price-aggregator",
        "time_ms": AT_MS,
        "level": "warning",
        "message": "source_availability",
    } == read_line("price-aggregator", AT_MS, LINE).as_dict()


def test_a_traceback_has_lines_of_its_own() -> None:
    """A traceback follows on its line as it was raised."""
    text = orjson.dumps({"event": "task_died", "level": "error", "exception": "Traceback:\n  here"}).decode()
    assert (
        "22:13:20.123 error    operator           task_died\nTraceback:\n  here"
        == read_line("operator", AT_MS, text).text
    )


@pytest.mark.parametrize("text", ["LOG:  checkpoint starting", "{not json", '["a"]', "{}", '{"event": 5}', ""])
def test_a_line_of_another_form_stays_as_it_is(text: str) -> None:
    """What is no line of ours is shown whole, has no level, and so is of every level."""
    read = read_line("postgres", AT_MS, text)

    assert text == read.message
    assert read.text.endswith(f"postgres           {text}".rstrip())
    assert all(read.at_least(level) for level in LEVELS)


@pytest.mark.parametrize(("level", "shown"), [("", True), ("info", True), ("warning", True), ("error", False)])
def test_levels_are_in_order(level: str, shown: bool) -> None:
    """A line is of its level and of all that are less."""
    assert shown == read_line("a", AT_MS, LINE).at_least(level)


@given(
    st.text(),
    st.dictionaries(st.text(max_size=5), st.one_of(st.text(), st.integers(-(2**63), 2**63), st.none()), max_size=4),
)
def test_any_line_is_shown(text: str, said: dict[str, object]) -> None:
    """Whatever a service writes there is a line of it, for people and for programs."""
    for line in (text, orjson.dumps({"event": text, **said}).decode()):
        read = read_line("a", AT_MS, line)
        assert read.text.startswith("22:13:20.123")
        assert orjson.dumps(read.as_dict())
