"""The JSON body of a request, read into the fields that are wanted, with the words of Go's decoder for what is none."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from aiohttp import ClientPayloadError, web
from aiohttp.http_exceptions import BadHttpMessage

from services.oracle.pipeline import json_faults
from services.oracle.rest.jsonapi import Refused

_HALF_A_PAIR = re.compile("[\ud800-\udfff]")
_MOST_DIGITS = 400
_SPACE = " \t\r\n"
_KINDS = {bool: "bool", int: "number", float: "number", str: "string", list: "array", dict: "object"}
TEXT, TRUTH, NATURAL_32, RAW = "string", "bool", "uint32", "json.RawMessage"


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no JSON")


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MOST_DIGITS else math.inf


_DECODER = json.JSONDecoder(parse_constant=_no_number, parse_int=_whole)


async def content(request: web.Request) -> str:
    """Return the body as text; Refused with 400 if it did not arrive."""
    try:
        return (await request.read()).decode("utf-8", "replace")
    except (ConnectionError, ClientPayloadError, BadHttpMessage) as error:
        raise Refused(400, "the body did not arrive whole") from error


async def decode(
    request: web.Request, kind: str, wanted: Mapping[str, str], status: int = 422, prefix: str = ""
) -> dict[str, Any]:
    """
    Return the fields of the body's first JSON value, None where one is missing or null.

    `kind` is what the node calls the value, `package.Name`; `wanted` the type of each field. What follows the first
    value does not count, and neither does the case of a field's name. Refused with `status` for anything else.
    """
    text = await content(request)
    try:
        return fields(first_value(text), kind, wanted)
    except ValueError as error:
        raise Refused(status, prefix + str(error)) from error


def first_value(text: str) -> Any:
    """Return the first JSON value of a text; ValueError with what is wrong with it."""
    start = len(text) - len(text.lstrip(_SPACE))
    try:
        return _DECODER.raw_decode(text, start)[0]
    except (ValueError, RecursionError) as error:
        raise ValueError(json_faults.fault(text)) from error


def fields(value: Any, kind: str, wanted: Mapping[str, str]) -> dict[str, Any]:
    """Return the wanted fields of an object; ValueError if it is none, or a field has another type."""
    if value is None:
        return dict.fromkeys(wanted)
    if not isinstance(value, dict):
        raise ValueError(f"json: cannot unmarshal {name_of(value)} into Go value of type {kind}")
    lower = {str(key).lower(): item for key, item in value.items()}
    found = {}
    for name, type_ in wanted.items():
        item = lower.get(name.lower())
        fault = _misfit(item, type_)
        if fault:
            where = f"Go struct field {kind.rpartition('.')[2]}.{name} of type {type_}"
            raise ValueError(f"json: cannot unmarshal {fault} into {where}")
        # Half of a surrogate pair is a character like any other to Go, and none to us.
        found[name] = _HALF_A_PAIR.sub("\N{REPLACEMENT CHARACTER}", item) if isinstance(item, str) else item
    return found


def name_of(value: object) -> str:
    """Return what JSON calls a value."""
    return _KINDS.get(type(value), "null")


def _misfit(value: object, type_: str) -> str:
    """Return what was found where it does not fit."""
    if value is None or type_ == RAW:
        return ""
    if type_ in (TEXT, TRUTH):
        return "" if isinstance(value, str if type_ == TEXT else bool) else name_of(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return name_of(value)
    if isinstance(value, int) and 0 <= value < 2**32:
        return ""
    return f"number {str(value)[:40]}" if isinstance(value, float) or abs(value) < 10**40 else "number"
