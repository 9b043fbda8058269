"""Bodies of answers made odd on command: nulls among rows, rows left out, other values, keys told twice."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson

from devkit.market.faults import Fault


def spoiled(body: bytes, fault: Fault) -> bytes:
    """Return a JSON body as the fault wants it; its numbers keep their digits."""
    if not (fault.bad_rows or fault.keep_rows is not None or fault.fields or fault.odd_types or fault.doubled):
        return body
    return _written(_odd(json.loads(body, parse_float=Decimal), fault), doubled=fault.doubled).encode()


def _odd(value: Any, fault: Fault) -> Any:
    if isinstance(value, list):
        rows = [_odd(each, fault) for each in value]
        if not rows or not isinstance(rows[0], dict):
            return rows
        return _with_null(rows[: fault.keep_rows], fault)
    if isinstance(value, dict):
        fields: Mapping[str, Any] = fault.fields or {}
        found = {key: fields[key] if key in fields else _odd(each, fault) for key, each in value.items()}
        if len(found) > 1 and all(isinstance(each, dict) for each in found.values()):
            found = dict(list(found.items())[: fault.keep_rows])
            return {"ODD": None, **found} if fault.bad_rows else found
        return found
    is_number = isinstance(value, int | Decimal) or (isinstance(value, str) and value.replace(".", "", 1).isdigit())
    return [value] if fault.odd_types and is_number and not isinstance(value, bool) else value


def _with_null(rows: list[Any], fault: Fault) -> list[Any]:
    return [None, *rows] if fault.bad_rows else rows


def _written(value: Any, *, doubled: bool) -> str:
    """Return the JSON of a value; with `doubled` each key of an object stands there again with another value."""
    if isinstance(value, dict):
        fields = [f"{_text(key)}:{_written(each, doubled=doubled)}" for key, each in value.items()]
        again = [f'{_text(key)}:"other"' for key in value] if doubled else []
        return "{" + ",".join(fields + again) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_written(each, doubled=doubled) for each in value) + "]"
    return format(value, "f") if isinstance(value, Decimal) else _text(value)


def _text(value: object) -> str:
    return orjson.dumps(value).decode()
