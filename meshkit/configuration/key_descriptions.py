"""Every key of the configuration in words: for `feedmesh config explain` and for the generated pages."""

import json
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from meshkit.configuration.faults import wording
from meshkit.configuration.keys_by_service import DECLARED
from meshkit.configuration.reading import environment
from meshkit.configuration.solution import Solution


@dataclass(frozen=True, slots=True)
class KeyDescription:
    """
    Describe one key.

    Attributes:
        path: Its place, `*` for any name or number.
        default: What it is when it is not given, as JSON; `required`, or empty for sections.
        services: Who reads it.
        variable: The environment variable that stands in for it.
        no_effect: Why it changes nothing; empty if it does.
    """

    path: str
    kind: str
    default: str
    allowed: str
    meaning: str
    services: tuple[str, ...] = ()
    variable: str = ""
    no_effect: str = ""

    def rows(self) -> list[tuple[str, str]]:
        """Return what there is to say, each with its name; some are empty."""
        return [
            ("meaning", self.meaning),
            ("type", self.kind),
            ("default", self.default),
            ("allowed", self.allowed),
            ("read by", ", ".join(self.services)),
            ("variable", self.variable),
        ]

    def as_json(self) -> dict[str, object]:
        """Return the same for programs."""
        return {
            "key": self.path,
            "type": self.kind,
            "default": self.default,
            "allowed": self.allowed,
            "meaning": self.meaning,
            "services": list(self.services),
            "variable": self.variable,
            "has_effect": not self.no_effect,
        }

    def is_for(self, path: str) -> bool:
        """Tell whether this describes a place, whose names stand where it has `*`."""
        mine, others = self.path.split("."), path.split(".")
        return len(mine) == len(others) and all(a in ("*", b) for a, b in zip(mine, others, strict=True))


def keys() -> Iterator[KeyDescription]:
    """Yield every key below `solution`, sections before what is in them."""
    variables = {".".join(map(str, place)): name for name, place in environment.variables().items()}
    yield from _keys(Solution, "solution", variables)


def _keys(model: type[BaseModel], above: str, variables: dict[str, str]) -> Iterator[KeyDescription]:
    for field in model.model_fields.values():
        path = f"{above}.{field.alias}"
        yield KeyDescription(
            path,
            kind=type_name(field.annotation),
            default=default_text(field),
            allowed=wording.allowed(field, None),
            meaning=field.description or "",
            services=tuple(each.service for each in DECLARED if each.has(path) or each.leads_to(path)),
            variable=variables.get(path, ""),
            no_effect=field.deprecated if isinstance(field.deprecated, str) else "",
        )
        repeated = typing.get_origin(field.annotation) in (dict, tuple)
        for inner in models_in(field.annotation):
            yield from _keys(inner, f"{path}.*" if repeated else path, variables)


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models an annotation contains."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from models_in(argument)


def type_name(annotation: Any) -> str:
    """Return a type as a reader of JSON knows it."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return type_name(arguments[0])
    if origin is typing.Literal:
        return " | ".join(f"`{value}`" for value in arguments)
    if origin in (types.UnionType, typing.Union):
        return " | ".join(type_name(argument) for argument in arguments if argument is not type(None))
    if origin is dict:
        return f"object of {type_name(arguments[1])}"
    if origin is tuple:
        return f"list of {type_name(arguments[0])}"
    names = {str: "text", int: "integer", float: "number", bool: "true/false", SecretStr: "secret text", Path: "path"}
    return names.get(annotation, "object")


def default_text(field: FieldInfo) -> str:
    """Return a field's default as JSON; nothing for objects, which have defaults of their own."""
    if field.is_required():
        return "required"
    if field.default is None:
        return "none"
    if isinstance(field.default, BaseModel):
        return ""
    value = list(field.default) if isinstance(field.default, tuple) else field.default
    return json.dumps(value, default=str)
