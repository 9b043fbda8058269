"""Variables of a run, `$(task)` and `$(jobRun.meta)`, in the attributes of tasks."""

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from services.oracle.pipeline.errors import TaskError

_EXPRESSION = re.compile(r"\$\(\s*([^)\s]+)\s*\)")
_STRING_OR_EXPRESSION = re.compile(r'"(?:[^"\\]|\\.)*"|\$\(\s*([^)\s]+)\s*\)', re.DOTALL)
_PLACEHOLDER = "\x00variable:"


def names(text: str) -> list[str]:
    """Return the variables an attribute uses, by their first part: `$(ds.price)` uses `ds`."""
    return [found.split(".")[0] for found in _EXPRESSION.findall(text)]


def lookup(path: str, variables: Mapping[str, Any]) -> Any:
    """Return the value of a dotted path; TaskError if there is none, or the task it names failed."""
    value: Any = variables
    for part in path.split("."):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, Sequence) and not isinstance(value, str) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            raise TaskError(f"no such keypath: {path}")
        if isinstance(value, TaskError):
            raise TaskError(f"input task errored: {value}")
    return value


def resolve(text: str, variables: Mapping[str, Any]) -> Any:
    """Return the variable's value if the text is one expression, else the text itself."""
    found = _EXPRESSION.fullmatch(text.strip())
    return lookup(found[1], variables) if found else text


def resolve_json(text: str, variables: Mapping[str, Any], *, keep_errors: bool = False) -> Any:
    """
    Return the value of JSON text in which unquoted expressions stand for values.

    With `keep_errors`, an expression whose task failed becomes its TaskError instead of raising it.
    """

    def mark(found: re.Match[str]) -> str:
        return found[0] if found[1] is None else json.dumps(_PLACEHOLDER + found[1])

    try:
        document = json.loads(_STRING_OR_EXPRESSION.sub(mark, text), parse_float=Decimal)
    except ValueError as error:
        raise TaskError(f"not JSON: {error}") from error
    return _fill(document, variables, keep_errors)


def _fill(value: Any, variables: Mapping[str, Any], keep_errors: bool) -> Any:
    if isinstance(value, str) and value.startswith(_PLACEHOLDER):
        try:
            return lookup(value.removeprefix(_PLACEHOLDER), variables)
        except TaskError as error:
            if keep_errors:
                return error
            raise
    if isinstance(value, dict):
        return {key: _fill(item, variables, keep_errors) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, variables, keep_errors) for item in value]
    return value
