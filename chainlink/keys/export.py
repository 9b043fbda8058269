"""The readable half of a key file: what it says in clear about the key that it holds encrypted."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from chainlink.errors import KeyUnreadable


def parse(text: bytes | str) -> dict[str, Any]:
    """Return a key file's JSON object; KeyUnreadable if it is none."""
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise KeyUnreadable(f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise KeyUnreadable("not a JSON object")
    return document


def check(document: Mapping[str, Any], true: Mapping[str, Sequence[str]]) -> None:
    """
    Compare what a key file says in clear with what it holds: `true` has each field's spellings, none if it has no such.

    A field may be left out, since all of them follow from the key, but none may be untrue: people and programs go by
    them, so a file with another key's address would have the wrong account paid.

    Raises:
        KeyUnreadable: naming the first field that says something else.
    """
    for name, spellings in true.items():
        found = document.get(name)
        if found is not None and found not in spellings:
            allowed = repr(spellings[0]) if spellings else "nothing"
            raise KeyUnreadable(f"{name}: found {found!r}, allowed: {allowed}")
