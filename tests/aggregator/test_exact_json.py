import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator import exact_json
from services.aggregator.exact_json import CONTRADICTORY, OUT_OF_RANGE

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(VALUES)
def test_json_is_read_as_it_is(value: object) -> None:
    """What is written as JSON comes back."""
    assert value == exact_json.loads(json.dumps(value))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a":1,"a":1}', {"a": 1}),
        ('{"a":1,"a":2}', {"a": CONTRADICTORY}),
        ('{"a":1,"b":3,"a":2,"a":1}', {"a": CONTRADICTORY, "b": 3}),
        ('{"r":{"BTC":{"p":"1"},"BTC":{"p":"2"},"ETH":{"p":"3"}}}', {"r": {"BTC": CONTRADICTORY, "ETH": {"p": "3"}}}),
        ('{"a":[1,{"b":"x","b":"y"}]}', {"a": [1, {"b": CONTRADICTORY}]}),
    ],
)
def test_a_key_with_two_values_has_none(text: str, expected: object) -> None:
    """Neither of two different values counts, two equal ones do, and what stands beside them is untouched."""
    assert expected == exact_json.loads(text)


@pytest.mark.parametrize(
    "number", ["1e400", "-1E+999999999", "1e-99999999999999999999999", "1e99999999999999999999999", "9" * 5_000]
)
def test_an_absurd_number_spoils_its_own_place(number: str) -> None:
    """A number that nothing can hold is unreadable, and its neighbours keep every digit."""
    found = exact_json.loads(f'{{"a":{number},"b":1.00000000000000000001,"c":7,"d":"x"}}')

    assert {"a": OUT_OF_RANGE, "b": Decimal("1.00000000000000000001"), "c": 7, "d": "x"} == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "nonsense",
        '{"a":NaN}',
        '{"a":Infinity,"b":1e400}',
        '"\\ud800"',
        '{"\\udc00":1e400}',
        "[" * 1_010 + "]" * 1_010,
        "[" * 100_000,
        b"\xff",
        b'{"a":"\xff"}',
    ],
)
def test_what_is_no_json_is_a_value_error(text: str | bytes) -> None:
    """Whatever is wrong with a text, it is told in one way."""
    with pytest.raises(ValueError):
        exact_json.loads(text)
