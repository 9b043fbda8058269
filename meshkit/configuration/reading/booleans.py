"""True and false in the place of numbers: validation reads them as 1 and 0, and nobody means that."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from meshkit.configuration.faults.problem import Place


def read_as_numbers(given: Any, read: Any, place: Place = ()) -> Iterator[Place]:
    """Yield the places of a document's booleans that became numbers in what was read of it."""
    if isinstance(given, bool):
        if isinstance(read, int | float) and not isinstance(read, bool):
            yield place
    elif isinstance(given, dict) and isinstance(read, BaseModel):
        fields = type(read).model_fields
        for name, value in read:
            if (key := fields[name].alias or name) in given:
                yield from read_as_numbers(given[key], value, (*place, key))
    elif isinstance(given, dict) and isinstance(read, dict):
        for key in given.keys() & read.keys():
            yield from read_as_numbers(given[key], read[key], (*place, key))
    elif isinstance(given, list) and isinstance(read, list | tuple):
        for index, pair in enumerate(zip(given, read, strict=False)):
            yield from read_as_numbers(*pair, (*place, index))
