"""The jsonparse task: one value out of a JSON text."""

import json
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Self

from services.oracle.pipeline import variables
from services.oracle.pipeline.attributes import Attributes
from services.oracle.pipeline.errors import TaskError
from services.oracle.pipeline.task import Context, Value

_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})+")
_INDEX = re.compile(r"-?\d+")


@dataclass(frozen=True, slots=True)
class JsonParseTask:
    """Follow a path of keys and indexes; a missing one is None with `lax`, an error without."""

    path: str
    separator: str
    data: str | None
    lax: bool

    @classmethod
    def read(cls, attributes: Attributes) -> Self:
        """Take the attributes."""
        return cls(
            attributes.text("path") or "",
            attributes.text("separator") or ",",
            attributes.text("data"),
            attributes.flag("lax"),
        )

    async def run(self, context: Context) -> Value:
        """Return what is at the path, numbers exact."""
        data = context.one_input() if self.data is None else variables.resolve(self.data, context.variables)
        path = variables.resolve(self.path, context.variables)
        keys = path if isinstance(path, list) else [key for key in str(path).split(self.separator) if path != ""]
        value = _parse(data)
        for key in keys:
            found, value = _step(value, str(key))
            if not found:
                if self.lax:
                    return None
                raise TaskError(f"could not resolve path {keys} in {_shortened(data)}")
        return value


def _parse(data: object) -> Any:
    if not isinstance(data, str) or not data.strip():
        raise TaskError("empty input: unexpected end of JSON input" if data in (None, "") else "data must be a string")
    if _HEX.fullmatch(data):
        data = bytes.fromhex(data[2:]).decode("utf-8", "replace")
    try:
        # Like the node's decoder this reads the first value only; what follows was cut or does not matter.
        document, _ = json.JSONDecoder(parse_float=Decimal).raw_decode(data.lstrip())
    except (ValueError, RecursionError) as error:
        raise TaskError(f"failed to parse JSON: {error}") from error
    return document


def _step(value: Any, key: str) -> tuple[bool, Any]:
    if isinstance(value, dict):
        return key in value, value.get(key)
    if isinstance(value, list) and _INDEX.fullmatch(key):
        index = int(key)
        if -len(value) <= index < len(value):
            return True, value[index]
    return False, None


def _shortened(data: object) -> str:
    text = str(data)
    return text if len(text) <= 120 else f"{text[:120]}…"
