from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator import exact_json
from services.aggregator.exact_json import CONTRADICTORY, OUT_OF_RANGE, Unreadable
from services.aggregator.sources import shapes
from services.aggregator.sources.shapes import Misshapen

D = Decimal
READERS: tuple[Callable[[dict[str, Any], str], object], ...] = (
    shapes.text,
    shapes.flag,
    shapes.price,
    shapes.side,
    shapes.time_ms,
    shapes.time_s,
    shapes.moment_ms,
    lambda row, field: shapes.record(row.get(field), field),
    lambda row, field: shapes.rows(row.get(field), field),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | st.text() | st.sampled_from([CONTRADICTORY]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(JSON, st.sampled_from(READERS))
def test_a_field_is_read_or_refused(value: object, read: Callable[[dict[str, Any], str], object]) -> None:
    """Whatever stands in a field, a reader gives a value of its own shape or says what is wrong."""
    with suppress(Misshapen):
        read({"x": value}, "x")


def test_a_refusal_names_the_field() -> None:
    """It says what was found and what is allowed."""
    with pytest.raises(Misshapen) as caught:
        shapes.price({"last": [1]}, "last")

    assert "last: found a list, allowed: a decimal number" == str(caught.value)


@pytest.mark.parametrize("value", [True, False, None, [], {}, CONTRADICTORY, OUT_OF_RANGE, 1.5])
def test_no_number_is_made_of_something_else(value: object) -> None:
    """Neither `true` nor a list nor a binary float is a price, and neither is a time."""
    for read in (shapes.price, shapes.time_ms, shapes.time_s, shapes.moment_ms):
        with pytest.raises(Misshapen):
            read({"x": value}, "x")


@pytest.mark.parametrize("value", [None, "", "-", "0", "0.00000", "00", "0.", 0, D("0.000"), D("0E-8")])
def test_an_empty_side_of_a_book_is_told_in_many_ways(value: object) -> None:
    """All of them are alike, and so is the absence of the field."""
    assert shapes.side({"bid": value}, "bid") is None
    assert shapes.side({}, "bid") is None


@pytest.mark.parametrize("value", ["0.1", 5, D("0.00001"), "1e-7", "-1", "NaN", "x"])
def test_a_side_of_a_book_stays_as_it_was_written(value: object) -> None:
    """What is no empty side is left to the check of the price."""
    assert value == shapes.side({"bid": value}, "bid")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1_782_000_000_000, 1_782_000_000_000),
        ("1782000000000", 1_782_000_000_000),
        (D("1782000000000.5"), 1_782_000_000_000),
        (D("1.782E+12"), 1_782_000_000_000),
        ("1782000000000.999", 1_782_000_000_000),
        (0, 0),
    ],
)
def test_a_time_may_be_a_text_or_have_a_fraction(value: object, expected: int) -> None:
    """They are the same moment."""
    assert expected == shapes.time_ms({"t": value}, "t")
    assert isinstance(shapes.time_ms({"t": value}, "t"), int)


@pytest.mark.parametrize(
    "value",
    [
        -1,
        "",
        "-5",
        "1e12",
        "1_000",
        "٣",
        ".",
        "1.2.3",
        D("NaN"),
        D("Infinity"),
        D("1E+300"),
        D("9E+999999"),
        D("sNaN"),
        10**400,
    ],
)
def test_no_time_is_beyond_the_calendar(value: object) -> None:
    """What has no date is no time, however it is written, and costs no time to refuse."""
    for read in (shapes.time_ms, shapes.time_s):
        with pytest.raises(Misshapen):
            read({"t": value}, "t")


def test_seconds_are_read_as_milliseconds() -> None:
    """A fraction of a second is kept."""
    assert 1_782_000_000_500 == shapes.time_s({"t": D("1782000000.5")}, "t")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2023-11-14T22:13:20.123999999Z", 1_700_000_000_123),
        ("2023-11-14T23:13:20+01:00", 1_700_000_000_000),
        ("2023-11-14T22:13:20", None),
        ("2023-11-14", None),
        ("yesterday", None),
        ("0001-01-01T00:00:00+23:59", None),
        ("1969-12-31T23:59:59Z", None),
    ],
)
def test_moments(value: str, expected: int | None) -> None:
    """A time is read to the millisecond; one without a zone, or before 1970, is refused."""
    if expected is None:
        with pytest.raises(Misshapen):
            shapes.moment_ms({"t": value}, "t")
    else:
        assert expected == shapes.moment_ms({"t": value}, "t")


@pytest.mark.parametrize("found", ["ETH-USD", "btc-usd", None, True, ["BTC-USD"], CONTRADICTORY])
def test_an_answer_about_something_else_is_refused(found: object) -> None:
    """Only the name that was asked for passes, and silence only where the name need not be told."""
    with pytest.raises(Misshapen):
        shapes.expect({"INSTRUMENT": found}, "INSTRUMENT", "BTC-USD")
    with pytest.raises(Misshapen):
        shapes.expect_if_told({"INSTRUMENT": found}, INSTRUMENT="BTC-USD")
    with pytest.raises(Misshapen):
        shapes.expect({}, "INSTRUMENT", "BTC-USD")
    shapes.expect_if_told({}, INSTRUMENT="BTC-USD")
    shapes.expect({"INSTRUMENT": "BTC-USD"}, "INSTRUMENT", "BTC-USD")


def test_true_is_not_one() -> None:
    """An amount of `true` is not an amount of 1."""
    with pytest.raises(Misshapen):
        shapes.expect({"amount": True}, "amount", 1)


def test_rows_by_their_name() -> None:
    """Equal rows are one, different ones of the same name are none, and odd ones spoil nothing."""
    found = exact_json.loads('[{"s":"A","p":1},null,{"s":"B","p":2},{"s":"A","p":1},{"s":7},{"s":"B","p":3},"x",[]]')

    assert isinstance(found, list)
    named = shapes.by_name(found, "s")
    assert {"A", "B"} == named.keys()
    assert {"s": "A", "p": 1} == named["A"]
    assert isinstance(named["B"], Unreadable)


def test_what_was_found_can_be_logged() -> None:
    """However deep or long a value is, its description is short."""
    deep: Any = 1
    for _ in range(900):
        deep = [deep]

    assert "a list" == shapes.shown(deep)
    assert 60 >= len(shapes.shown("x" * 100_000))
