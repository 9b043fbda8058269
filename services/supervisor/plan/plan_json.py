"""The plan as JSON, so that one process can make it and another run it."""

import collections.abc
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from enum import Enum
from itertools import repeat
from pathlib import Path
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

import orjson

from services.supervisor.plan.mesh_plan import MeshPlan

_TYPE: Final = "type"


def write(planned: MeshPlan) -> bytes:
    """Return the plan as JSON."""
    return orjson.dumps(encode(planned))


def read(text: bytes) -> MeshPlan:
    """Return what `write` was given."""
    planned: MeshPlan = decode(MeshPlan, orjson.loads(text))
    return planned


def encode(value: object) -> object:
    """Return a value as JSON values: records with their type's name, enumerations by name."""
    if is_dataclass(value):
        return {_TYPE: type(value).__name__} | {each.name: encode(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, collections.abc.Mapping):
        return {key: encode(item) for key, item in value.items()}
    if isinstance(value, tuple | frozenset):
        return [encode(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def decode(kind: Any, value: Any) -> Any:
    """Return the value of a declared type from what `encode` made of it."""
    if value is None:
        return None
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return decode(_alternative(arguments, value), value)
    if origin is tuple:
        kinds: Iterable[Any] = repeat(arguments[0]) if arguments[-1] is Ellipsis else arguments
        return tuple(decode(each, item) for each, item in zip(kinds, value, strict=False))
    if origin is frozenset:
        return frozenset(decode(arguments[0], item) for item in value)
    if origin is collections.abc.Mapping:
        return {key: decode(arguments[1], item) for key, item in value.items()}
    if isinstance(kind, type) and is_dataclass(kind):
        hints = get_type_hints(kind)
        return kind(**{name: decode(hints[name], item) for name, item in value.items() if name != _TYPE})
    if issubclass(kind, Enum):
        return kind[value]
    return Path(value) if kind is Path else value


def _alternative(kinds: tuple[Any, ...], value: Any) -> Any:
    present = [kind for kind in kinds if kind is not type(None)]
    if len(present) == 1:
        return present[0]
    return next(kind for kind in present if kind.__name__ == value[_TYPE])
