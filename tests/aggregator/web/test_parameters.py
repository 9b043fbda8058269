import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.errors import InvalidInput
from services.aggregator.engine.answers import MOST_PAIRS
from services.aggregator.prices.pair import Pair
from services.aggregator.web.parameters import (
    LONGEST_PAIRS_TEXT,
    MOST_SOURCES,
    SOURCE_NAMES,
    read_fields,
    read_pairs,
    read_sources,
)
from services.aggregator.web.quote_json import ALWAYS, FIELDS

ASSETS = st.text("ABCXYZ019", min_size=1, max_size=8)


@given(st.lists(st.builds(Pair, ASSETS, ASSETS), min_size=1, max_size=30), st.sampled_from("-/"))
def test_a_list_of_pairs_is_read_as_it_was_written(pairs: list[Pair], separator: str) -> None:
    """With a dash or a slash, in its order, doubles included."""
    assert pairs == read_pairs(",".join(f"{pair.base}{separator}{pair.quote}" for pair in pairs))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "comma list"),
        ("BTC", "BTC"),
        ("BTC-USD,", "pairs"),
        ("A-B," * MOST_PAIRS + "A-B", f"{MOST_PAIRS + 1} pairs"),
        ("A" * (LONGEST_PAIRS_TEXT + 1), f"{LONGEST_PAIRS_TEXT + 1} characters"),
    ],
)
def test_what_is_no_list_of_pairs_is_named(text: str, found: str) -> None:
    """The error says what was found, and how much is allowed."""
    with pytest.raises(InvalidInput, match=found):
        read_pairs(text)


def test_the_most_pairs_are_read() -> None:
    """As many as are allowed, and no more."""
    assert MOST_PAIRS == len(read_pairs(",".join(["A-B"] * MOST_PAIRS)))


@pytest.mark.parametrize("text", ["", "nope", "kraken,nope", ",".join(["kraken"] * (MOST_SOURCES + 1))])
def test_a_source_that_there_is_not_is_named(text: str) -> None:
    """So is a list that is too long; names that there are pass."""
    assert SOURCE_NAMES == read_sources(",".join(SOURCE_NAMES))
    with pytest.raises(InvalidInput, match="sources"):
        read_sources(text)


@given(st.lists(st.sampled_from([*ALWAYS, *FIELDS]), min_size=1, max_size=10))
def test_chosen_fields_come_in_the_order_of_an_answer(chosen: list[str]) -> None:
    """Each once; those that are there in any case need not be chosen."""
    assert [name for name in FIELDS if name in chosen] == read_fields(",".join(chosen))


@pytest.mark.parametrize("text", ["", "nope", "price,", ",".join(["price"] * 100)])
def test_a_field_that_there_is_not_is_named(text: str) -> None:
    """With those there are."""
    with pytest.raises(InvalidInput, match="fields"):
        read_fields(text)
