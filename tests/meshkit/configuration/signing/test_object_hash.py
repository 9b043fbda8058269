"""The digest that signatures are made over."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshkit.configuration.signing.object_hash import Unsignable, number_text, object_hash
from tests.deployment import KEYS

CASES = json.loads(KEYS.read_text())["cases"]
# Beside its own names, under which object-hash counts objects before its own: there the order of lists does matter.
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
NUMBERS = st.one_of(st.integers(-(2**53) + 1, 2**53 - 1), st.floats(allow_nan=False, allow_infinity=False))
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, NAMES)
VALUES = st.recursive(
    LEAVES, lambda below: st.lists(below, max_size=3) | st.dictionaries(NAMES, below, max_size=3), max_leaves=8
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=4)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["hash"][:8])
def test_it_is_that_of_other_implementations(case: dict[str, Any]) -> None:
    """The recorded payloads have the recorded digests."""
    assert case["hash"] == object_hash(case["payload"])


# What object-hash 3.0.0 itself answers.
@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"constructor": 1, "prototype": {}}, "e0aba0352fe5edd2f92830ff4218d9ecbdcd1c375251e3821ecac7638b035e51"),
        ({"𐀀": 1, "ﬀ": 2}, "59a33db822e81d62c5bbdab8b0edcc61c950e52825599f24fcf1fa44d301ac36"),
        (
            {"a": [[2, {"x": []}], {"y": [{}]}], "b": {}},
            "454be711e01ab45ad0ff4acc832ecab980103d229130a9927c8bb8a8bbad2c93",
        ),
    ],
    ids=["names of its own", "order of 16 bits", "nested"],
)
def test_odd_values_have_its_digests(payload: dict[str, Any], expected: str) -> None:
    """Names that every object of JavaScript has, texts beyond 16 bits, and objects within lists."""
    assert expected == object_hash(payload)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (1, "1"), (1.0, "1"), (-0.0, "0"), (1.5, "1.5"), (1e21, "1e+21"), (1e20, "100000000000000000000"),
        (1e-6, "0.000001"), (1e-7, "1e-7"), (-1.25e-9, "-1.25e-9"), (1.7976931348623157e308, "1.7976931348623157e+308"),
        (5e-324, "5e-324"), (123456.789, "123456.789"), (2**53 - 1, "9007199254740991"), (120, "120"),
    ],
)  # fmt: skip
def test_numbers_are_written_as_in_javascript(number: float, expected: str) -> None:
    """Without an exponent from 1e-6 to 1e21, and never with a needless digit."""
    assert expected == number_text(number)


@settings(max_examples=60)
@given(OBJECTS, st.randoms())
def test_order_does_not_matter(value: dict[str, Any], random: Any) -> None:
    """Neither that of keys nor that of lists, at any depth."""

    def shuffled(each: Any) -> Any:
        if isinstance(each, dict):
            names = list(each)
            random.shuffle(names)
            return {name: shuffled(each[name]) for name in names}
        if isinstance(each, list):
            entries = [shuffled(entry) for entry in each]
            random.shuffle(entries)
            return entries
        return each

    assert object_hash(value) == object_hash(shuffled(value))


@settings(max_examples=60)
@given(OBJECTS, NAMES, VALUES, VALUES)
def test_every_value_matters(value: dict[str, Any], name: str, one: Any, other: Any) -> None:
    """Another value, another type, null in the place of nothing: each gives another digest; 1 and 1.0 are the same."""
    same = canonical(one) == canonical(other)
    assert same == (object_hash({**value, name: one}) == object_hash({**value, name: other}))
    absent = {key: below for key, below in value.items() if key != name}
    assert object_hash(absent) != object_hash({**absent, name: None})
    assert object_hash({**value, name: 1}) == object_hash({**value, name: 1.0})
    for unlike in ("1", True, [1], {"1": 1}, None, 0):
        assert object_hash({**value, name: 1}) != object_hash({**value, name: unlike})


def canonical(value: Any) -> Any:
    """Return what two values have alike exactly if a signature cannot tell them apart."""
    if isinstance(value, dict):
        return "object", sorted((name, repr(canonical(below))) for name, below in value.items())
    if isinstance(value, list):
        return "array", sorted(repr(canonical(below)) for below in value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "number", float(value) or 0.0
    return type(value).__name__, value


@pytest.mark.parametrize("number", [2**53 + 1, -(2**53) - 1, 10**22 + 1, float("inf"), float("nan"), 10**400])
def test_what_javascript_cannot_tell_apart_is_refused(number: float) -> None:
    """A signature of one such number would hold for its neighbours, so there is none; the place is named."""
    with pytest.raises(Unsignable, match=r"^a\.1\.b: found .+, allowed: "):
        object_hash({"a": [0, {"b": number}]})


def test_large_numbers_that_a_double_holds_are_signed() -> None:
    """Amounts of wei are such: 10^18, 2 · 10^16."""
    assert object_hash({"a": 10**18}) == object_hash({"a": 1e18})
    assert object_hash({"a": 10**18}) != object_hash({"a": 10**18 + 256})


def test_the_value_is_not_changed() -> None:
    """What is hashed stays as it was, lists in their order included."""
    value = {"a": [3, 1, {"c": [2, 1]}], "b": None}
    before = copy.deepcopy(value)
    object_hash(value)
    assert before == value
