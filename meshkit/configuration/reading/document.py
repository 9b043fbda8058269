"""The file's JSON, read once, with the lines of its keys and what the files of secrets hold that it names."""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from meshkit.configuration.faults.problem import InvalidConfiguration, Place, Problem
from meshkit.paths import SP_SECRETS_DIR

_PIECE: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|\n|[^\s{}\[\]:,"]+')


@dataclass(frozen=True)
class Document:
    """
    Hold one reading of a file.

    Attributes:
        content: Its text, byte for byte what was signed if it was.
        given: Its JSON.
    """

    path: Path
    content: str
    given: Any

    def located(self, problem: Problem) -> Problem:
        """Return a problem with the line of its place or of the nearest one above it, if one is there."""
        if problem.line or not problem.place:
            return problem
        place, lines = problem.place, self.lines
        found = next((lines[place[:end]] for end in range(len(place), 0, -1) if place[:end] in lines), 0)
        return replace(problem, line=found)

    @cached_property
    def lines(self) -> dict[Place, int]:
        """Return the line of each place, from 1: of an object's key, of a list's entry."""
        return dict(_lines(self.content))


class _Twice(ValueError):
    """A key stands twice in one object."""


def read(path: Path) -> Document:
    """Return the file's JSON; raise InvalidConfiguration if there is none."""
    try:
        content = path.read_bytes().decode()
        given = json.loads(content, object_pairs_hook=_once, parse_constant=_no_number, parse_float=_number)
        # What is no Unicode could be neither signed nor shown.
        json.dumps(given, ensure_ascii=False).encode()
    except OSError as error:
        problem = Problem((), f"one that cannot be read: {error.strerror}", "a file of JSON")
    except _Twice as error:
        problem = Problem((), f"the key {str(error)!r} twice in one object", "each key once")
    except UnicodeError:
        problem = Problem((), "text that is no Unicode", "a file of JSON, in UTF-8")
    except json.JSONDecodeError as error:
        problem = Problem((), f"no JSON: {error.msg} (column {error.colno})", "a file of JSON", error.lineno)
    except ValueError as error:
        problem = Problem((), f"the number {error}", "numbers of JSON")
    except RecursionError:
        problem = Problem((), "JSON that is nested without end", "a file of JSON")
    else:
        return Document(path, content, given)
    raise InvalidConfiguration(path, [problem])


def with_secrets(given: Any, problems: list[Problem]) -> Any:
    """
    Return the JSON with what the files of secrets that it names hold, without white space around it.

    A value that is a path below `spSecretsDir` names such a file. What cannot be read is added to `problems`.
    """
    return _filled(given, _secrets_dir(given), (), problems)


def _secrets_dir(given: Any) -> str:
    solution = given.get("solution") if isinstance(given, dict) else None
    found = solution.get("spSecretsDir") if isinstance(solution, dict) else None
    return found if isinstance(found, str) else SP_SECRETS_DIR


def _filled(value: Any, secrets_dir: str, place: Place, problems: list[Problem]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(below, secrets_dir, (*place, key), problems) for key, below in value.items()}
    if isinstance(value, list):
        return [_filled(below, secrets_dir, (*place, index), problems) for index, below in enumerate(value)]
    if not isinstance(value, str) or not secrets_dir.strip("/") or Path(secrets_dir) not in Path(value).parents:
        return value
    try:
        return Path(value).read_text().strip()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "no text"
        problems.append(Problem(place, f"the file {value}, which cannot be read: {why}", "a file that we may read"))
        return value


def _lines(content: str) -> Iterator[tuple[Place, int]]:
    line = 1
    # The place of each open object or list; the last part of one is the key or the number that comes next.
    places: list[list[str | int]] = []
    kinds: list[str] = []
    expects_key = False
    for match in _PIECE.finditer(content):
        piece = match.group()
        if piece == "\n":
            line += 1
            continue
        if piece in ("}", "]"):
            places.pop()
            kinds.pop()
            expects_key = False
            continue
        if piece == ",":
            if kinds[-1] == "[":
                places[-1][-1] = int(places[-1][-1]) + 1
            else:
                expects_key = True
            continue
        if piece == ":":
            continue
        if expects_key:
            places[-1][-1] = json.loads(piece)
            expects_key = False
            yield tuple(places[-1]), line
            continue
        if kinds and kinds[-1] == "[":
            yield tuple(places[-1]), line
        if piece in ("{", "["):
            above = places[-1] if places else []
            places.append([*above, 0 if piece == "[" else ""])
            kinds.append(piece)
            expects_key = piece == "{"


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _Twice(key)
        found[key] = value
    return found


def _number(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(text)
    return number


def _no_number(name: str) -> Any:
    raise ValueError(name)
