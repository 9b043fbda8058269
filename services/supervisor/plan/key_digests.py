"""
The configuration as a digest for each key, so that two configurations can be compared without their secrets at hand.

A key is written as in the file, `solution.mesh.ports.metrics`; a key within an object of names has the name, and a list
is one value.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, SecretStr

from meshkit.configuration.solution import Configuration


def digests(configuration: Configuration) -> dict[str, str]:
    """Return the digest of every value, those that the file leaves to their defaults included."""
    return {key: hashlib.sha256(text.encode()).hexdigest()[:16] for key, text in _values(configuration, "")}


def _values(section: BaseModel, place: str) -> Iterator[tuple[str, str]]:
    for name, field in type(section).model_fields.items():
        value = section.__dict__[name]
        key = f"{place}.{field.alias}".lstrip(".")
        if value is None:
            # null and absent are not the same everywhere.
            yield key, f"None, {name in section.model_fields_set}"
        else:
            yield from _leaves(value, key)


def _leaves(value: Any, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, BaseModel):
        yield from _values(value, key)
    elif isinstance(value, dict):
        for name, below in value.items():
            yield from _leaves(below, f"{key}.{name}")
    else:
        yield key, repr(value.get_secret_value() if isinstance(value, SecretStr) else value)
