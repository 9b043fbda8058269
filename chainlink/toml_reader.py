"""
The TOML of a job, read at a cost that grows with its length, whatever it says.

The parser recurses for each bracket and takes squares of time for keys of many parts. So brackets and dots are counted
first, in one walk over the text; what no job could have is refused before it is parsed.
"""

import re
import tomllib
from collections.abc import Mapping
from typing import Any

from chainlink.errors import SpecMalformed

# The longest jobs known, with a task for each of many sources, have some tens of thousands of characters.
LONGEST = 256 * 1024
OPEN_STRING = "a text without an end"
_DEEPEST = 10
_MOST_KEY_PARTS = 10
_MOST_VALUES = 2_000
_LARGEST, _SMALLEST = 2**63 - 1, -(2**63)
_NEXT = re.compile(r"""["'#\[\]{}.=,\n]""")
_LONG_BASIC = re.compile(r'"""(?:[^"\\]|\\.|"(?!""))*+"{3,5}', re.DOTALL)
_LONG_LITERAL = re.compile(r"'''(?:[^']|'(?!''))*+'{3,5}")
_BASIC = re.compile(r'"(?:[^"\\\n]|\\.)*+"')
_LITERAL = re.compile(r"'[^'\n]*'")


def read(text: str) -> Mapping[str, Any]:
    """Return the document of a job's text; SpecMalformed if it is no TOML, or more than a job can be."""
    if len(text) > LONGEST:
        raise SpecMalformed("toml", f"{len(text)} characters", f"at most {LONGEST}")
    _check_shape(text)
    try:
        document = tomllib.loads(text)
    except ValueError as error:
        # Most are TOMLDecodeError; a number of thousands of digits is not.
        raise SpecMalformed("toml", str(error), "TOML") from error
    _check_values("toml", document)
    return document


def _check_shape(text: str) -> None:
    at = depth = dots = values = 0
    while (found := _NEXT.search(text, at)) is not None:
        at, mark = found.end(), found[0]
        if mark in "\"'":
            at = _end_of_string(text, found.start())
        elif mark == "#":
            at = end if (end := text.find("\n", at)) >= 0 else len(text)
        elif mark in "[{":
            depth, dots = depth + 1, 0
            if depth > _DEEPEST:
                raise _too_much(text, at, "brackets within brackets", _DEEPEST)
        elif mark in "]}":
            depth -= 1
        elif mark == ".":
            dots += 1
            if dots >= _MOST_KEY_PARTS:
                raise _too_much(text, at, "parts of one key", _MOST_KEY_PARTS)
        else:
            dots = 0
            values += mark in "=,"
            if values > _MOST_VALUES:
                raise _too_much(text, at, "values", _MOST_VALUES)


def _end_of_string(text: str, at: int) -> int:
    if text.startswith('"""', at):
        found = _LONG_BASIC.match(text, at)
    elif text.startswith("'''", at):
        found = _LONG_LITERAL.match(text, at)
    else:
        found = (_BASIC if text[at] == '"' else _LITERAL).match(text, at)
    if found is None:
        raise SpecMalformed("toml", f"{OPEN_STRING} in line {text.count(chr(10), 0, at) + 1}", "TOML")
    return found.end()


def _too_much(text: str, at: int, what: str, most: int) -> SpecMalformed:
    return SpecMalformed("toml", f"more {what} up to line {text.count(chr(10), 0, at) + 1}", f"at most {most}")


def _check_values(field: str, value: object) -> None:
    """Refuse what TOML forbids and the parser lets pass, and NUL, which no database keeps."""
    match value:
        case bool():
            return
        case int() if not _SMALLEST <= value <= _LARGEST:
            raise SpecMalformed(field, "a number of more than 64 bits", "at most 64 bits")
        case str() if "\0" in value:
            raise SpecMalformed(field, "a text with NUL", "a text without it")
        case dict():
            for key, item in value.items():
                if "\0" in key:
                    raise SpecMalformed(field, "a key with NUL", "keys without it")
                _check_values(key[:40], item)
        case list():
            for item in value:
                _check_values(field, item)
