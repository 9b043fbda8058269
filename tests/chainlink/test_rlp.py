"""The recursive length prefix, against the field's common library."""

from typing import Any

import pytest
import rlp as theirs  # type: ignore[import-untyped]  # it has no annotations
from hypothesis import given, settings
from hypothesis import strategies as st

from chainlink import rlp

_ITEMS: st.SearchStrategy[Any] = st.recursive(
    st.integers(0, 2**256) | st.binary(max_size=80), lambda inner: st.lists(inner, max_size=4), max_leaves=8
)


@settings(max_examples=80, deadline=None)
@given(_ITEMS)
def test_items_have_the_bytes_that_others_give_them(item: Any) -> None:
    """Bytes, numbers and lists of them are encoded as the common library does it."""
    assert theirs.encode(item) == rlp.encode(item)


@pytest.mark.parametrize("length", [0, 1, 55, 56, 255, 256, 65_536])
def test_lengths_of_all_sizes(length: int) -> None:
    """The prefix grows with the length."""
    assert theirs.encode([b"\x80" * length]) == rlp.encode([b"\x80" * length])


def test_a_negative_number_is_refused() -> None:
    """There is no encoding of a number below zero."""
    with pytest.raises(OverflowError):
        rlp.encode([-1])
