"""The jsonparse task: one value out of a JSON text."""

import re
from dataclasses import dataclass
from typing import Self

from services.oracle.pipeline.attributes import Attributes
from services.oracle.pipeline.errors import TaskError
from services.oracle.pipeline.parameters import (
    constant,
    first_input,
    resolve,
    text,
    to_bool,
    to_bytes,
    to_list,
    to_text,
    variable,
)
from services.oracle.pipeline.task import Context
from services.oracle.pipeline.values import Value, parse_json

_INDEX = re.compile(r"[+-]?[0-9]+")
_MOST_DIGITS = 18


class _NotFoundError(Exception):
    """There is nothing at a key."""


@dataclass(frozen=True, slots=True)
class JsonParseTask:
    """Follow a path of keys and indexes; what is missing at its end is None with `lax`, an error without."""

    path: str
    separator: str
    data: str
    lax: str

    @classmethod
    def read(cls, attributes: Attributes) -> Self:
        """Take the attributes."""
        return cls(
            attributes.text("path"), attributes.text("separator"), attributes.text("data"), attributes.text("lax")
        )

    async def run(self, context: Context) -> Value:
        """Return what is at the path."""
        context.checked()
        path = resolve("path", self._keys, variable(self.path, context.variables), constant(self.path))
        data = resolve("data", to_bytes, variable(self.data, context.variables), first_input(context.inputs))
        lax = resolve("lax", to_bool, text(self.lax), constant(False))
        body = data.decode("utf-8", "replace")
        value = parse_json(body)
        for key in path:
            try:
                value = _step(value, key, lax)
            except _NotFoundError as error:
                keys = '","'.join(path)
                raise TaskError(f'could not resolve path ["{keys}"] in {body}: keypath not found') from error
        return value

    def _keys(self, value: Value) -> list[str]:
        if isinstance(value, list):
            return [to_text(key) for key in to_list(value)]
        path = to_text(value)
        return path.split(self.separator or ",") if path else []


def _step(value: Value, key: str, lax: bool) -> Value:
    if isinstance(value, dict):
        found = key in value
        step = value.get(key)
    elif isinstance(value, list):
        if not _INDEX.fullmatch(key):
            raise TaskError(f"JSONParse task error: {key} is not a valid array index: keypath not found")
        index = int(key) if len(key) <= _MOST_DIGITS else len(value)
        found = -len(value) <= index < len(value)
        step = value[index] if found else None
    else:
        raise _NotFoundError
    if not found and not lax:
        raise _NotFoundError
    return step
