"""Texts that select a kept round."""

import pytest

from meshkit.errors import InvalidInput
from meshkit.explain.selection import Selection, read_selection


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("812", Selection(contract_round=812)),
        ("7/3", Selection(epoch=7, round=3)),
        ("5m", Selection(until_ms=700_000, asked_ms=700_000)),
        ("1970-01-01T00:00:09Z", Selection(until_ms=9_000, asked_ms=9_000)),
        ("", Selection(until_ms=995_000, or_newer=True, asked_ms=1_000_000)),
    ],
)
def test_what_selects_a_round(text: str, expected: Selection) -> None:
    """Numbers, places and times are told apart; nothing is the last round that had some seconds."""
    assert expected == read_selection(text, 1000.0)


@pytest.mark.parametrize("text", ["soon", "1" * 19, "7/1000", "9999999999d", "999999999999d", "9999-99-99", "\0"])
def test_other_texts_are_refused(text: str) -> None:
    """A text that selects nothing, or a time that no message can carry, is refused by the name of the argument."""
    with pytest.raises(InvalidInput, match=r"^ROUND: found .*allowed: the contract's number"):
        read_selection(text, 1000.0)
