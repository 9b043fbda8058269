"""
Parameters of tasks: where a value comes from, and what it has to be.

An attribute may be a text, a variable `$(task)`, or JSON with variables in it; without it the task's input counts.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from chainlink.units import parse_duration_s
from services.oracle.pipeline.errors import ParameterEmpty, TaskError, bad_input
from services.oracle.pipeline.values import Memo, Value, kind, parse_json, unwrapped

_T = TypeVar("_T")
Source = Callable[[], Value]

_VARIABLE = re.compile(r"\$\(\s*([a-zA-Z0-9_.]+)\s*\)")
_PATH_KEY = "__chainlink_key_path__"
_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_HEX = re.compile(r"0[xX]((?:[0-9a-fA-F]{2})*)")
_NATURAL = re.compile(r"[0-9]+")


def variable_names(text: str) -> set[str]:
    """Return the variables an attribute uses, by their first part: `$(ds.price)` uses `ds`."""
    return {found.split(".")[0] for found in _VARIABLE.findall(text)}


def resolve(name: str, convert: Callable[[Value], _T], *sources: Source) -> _T:
    """Return the first source's value that there is, converted; TaskError names the parameter if none fits."""
    try:
        for source in sources:
            try:
                value = source()
            except ParameterEmpty:
                continue
            return convert(value)
        raise ParameterEmpty
    except TaskError as error:
        raise TaskError(f"{name}: {error}" if name else str(error)) from error


def text(attribute: str) -> Source:
    """Take the attribute as it is, without white space around it; nothing if it is empty."""

    def source() -> Value:
        if not attribute.strip():
            raise ParameterEmpty
        return attribute.strip()

    return source


def constant(value: Value) -> Source:
    """Take a value that is always there."""
    return lambda: value


def variable(attribute: str, variables: Mapping[str, Value]) -> Source:
    """Take a variable's value if the attribute is nothing but one expression `$(…)`."""

    def source() -> Value:
        trimmed = attribute.strip()
        if trimmed.count("$") != 1 or not trimmed.startswith("$(") or not trimmed.endswith(")"):
            raise ParameterEmpty
        path = trimmed[2:-1].strip()
        if not path:
            raise ParameterEmpty
        value = look_up(path, variables)
        if isinstance(value, TaskError):
            raise TaskError(f"VarExpr: {value}: too many errors")
        return value

    return source


def json_text(attribute: str, variables: Mapping[str, Value], *, keep_errors: bool = False) -> Source:
    """
    Take the JSON value of the attribute, in which expressions outside of texts stand for values.

    An attribute that is nothing but an expression stays what the node puts in its place: an object that names the
    variable, which has to be there. Nearly every parameter looks for such an expression by `variable` first.

    With `keep_errors`, an expression whose task failed becomes its TaskError instead of raising one.
    """

    def source() -> Value:
        if not attribute.strip():
            raise ParameterEmpty
        marked = _VARIABLE.sub(lambda found: f'{{ "{_PATH_KEY}": "{found[1]}" }}', attribute)
        try:
            document = parse_json(marked)
        except TaskError as error:
            raise bad_input(f"while unmarshalling JSON: {error}; js: {marked}") from error
        try:
            filled = _fill(document, variables, keep_errors)
            return document if isinstance(document, dict) and _PATH_KEY in document else filled
        except RecursionError as error:
            raise bad_input("while unmarshalling JSON: exceeded max depth") from error

    return source


def first_input(inputs: Sequence[Value | TaskError]) -> Source:
    """Take the first input."""

    def source() -> Value:
        if not inputs:
            raise TaskError("index out of range")
        if isinstance(inputs[0], TaskError):
            raise inputs[0]
        return inputs[0]

    return source


def look_up(path: str, variables: Mapping[str, Value]) -> Value | TaskError:
    """Return the value of a dotted path, which may be the error of a task; TaskError if there is nothing there."""
    parts = path.split(".")
    if not all(parts):
        raise TaskError(f"while parsing keypath '{path}': wrong keypath format")
    value: Value = variables
    for segment, part in enumerate(parts):
        if isinstance(value, Mapping):
            if part not in value:
                raise TaskError(f"key {part} (segment {segment} in keypath {path}): keypath not found")
            value = value[part]
        elif isinstance(value, list):
            if not _INTEGER.fullmatch(part):
                raise TaskError(f"could not convert key '{part}' to integer: keypath not found")
            if not 0 <= int(part) < len(value):
                where = f"(segment {segment} of length {len(value)} in keypath {path})"
                raise TaskError(f"index {part} out of range {where}: index out of range")
            value = value[int(part)]
        else:
            found = "error" if isinstance(value, TaskError) else kind(value)
            raise TaskError(f"value at key '{part}' is a {found}, not a map or slice: keypath not found")
    return value


def to_text(value: Value) -> str:
    """Return a text."""
    value = _said(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if not isinstance(value, str):
        raise bad_input(f"expected string, got {kind(value)}")
    return value


def to_bytes(value: Value) -> bytes:
    """Return bytes: a text of hex digits behind 0x is decoded, any other is taken as UTF-8."""
    value = _said(value)
    if isinstance(value, str):
        found = _HEX.fullmatch(value)
        return bytes.fromhex(found[1]) if found else value.encode("utf-8", "replace")
    if value is None:
        return b""
    if not isinstance(value, bytes):
        raise bad_input(f"expected array of bytes, got {kind(value)}")
    return value


def to_bool(value: Value) -> bool:
    """Return a truth, or what a text says of one."""
    value = unwrapped(value)
    if isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise bad_input(f"expected true or false, got {kind(value)}")
    if value not in (*_TRUE, *_FALSE):
        raise bad_input(f'strconv.ParseBool: parsing "{value}": invalid syntax')
    return value in _TRUE


def to_mapping(value: Value) -> dict[str, Value] | None:
    """Return a JSON object, also one written as a text; None for nothing."""
    value = unwrapped(value)
    if isinstance(value, str | bytes):
        value = parse_json(value if isinstance(value, str) else value.decode("utf-8", "replace"))
    if value is not None and not isinstance(value, dict):
        raise bad_input(f"expected map, got {kind(value)}")
    return value


def to_list(value: Value) -> list[Value | TaskError]:
    """Return a list, also one written as a text."""
    value = unwrapped(value)
    if isinstance(value, str | bytes):
        value = parse_json(value if isinstance(value, str) else value.decode("utf-8", "replace"))
    if value is None:
        return []
    if not isinstance(value, list):
        raise bad_input(f"expected slice, got {kind(value)}")
    return value


def to_texts(value: Value) -> list[str]:
    """Return a list of texts."""
    return [to_text(item) for item in to_list(value)]


def to_seconds(value: Value) -> float:
    """Return the seconds of a duration such as `60s`."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    try:
        return parse_duration_s(to_text(value))
    except ValueError as error:
        raise TaskError(f"time: invalid duration {json.dumps(value, ensure_ascii=False)}") from error


def to_natural(value: Value) -> int | None:
    """Return a whole number from 0, None if the text is empty."""
    return _whole(value, _NATURAL, "strconv.ParseUint")


def to_integer(value: Value) -> int | None:
    """Return a whole number, None if the text is empty."""
    return _whole(value, _INTEGER, "strconv.ParseInt")


def _whole(value: Value, form: re.Pattern[str], parser: str) -> int | None:
    value = unwrapped(value)
    if isinstance(value, str):
        if not value.strip():
            return None
        if not form.fullmatch(value) or len(value) > 20:
            raise bad_input(f"{parser}: parsing {json.dumps(value[:20], ensure_ascii=False)}: invalid syntax")
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise bad_input(f"expected integer, got {kind(value)}")
    return value


def _said(value: Value) -> Value:
    """Return a memo's text, any other value as it is."""
    return value.value if isinstance(value, Memo) and isinstance(value.value, str) else value


def _fill(value: Value, variables: Mapping[str, Value], keep_errors: bool) -> Value:
    if isinstance(value, dict):
        if _PATH_KEY not in value:
            return {key: _fill(item, variables, keep_errors) for key, item in value.items()}
        path = value[_PATH_KEY]
        if not isinstance(path, str):
            raise bad_input(f"you cannot use {_PATH_KEY} in your JSON")
        found = look_up(path, variables)
        if isinstance(found, TaskError) and not keep_errors:
            raise bad_input(f"error is not allowed: {found}")
        return found
    if isinstance(value, list):
        return [_fill(item, variables, keep_errors) for item in value]
    return value
