"""Every value of a configuration: where it is, how it is read, and another one in its place."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from meshkit.configuration.solution import Configuration

Attributes = tuple[str, ...]


def leaves(section: BaseModel, place: str = "") -> Iterator[tuple[str, Attributes]]:
    """Yield each value that is no section: its place in the file, and the attributes that lead to it."""
    for name, field in type(section).model_fields.items():
        here, value = f"{place}.{field.alias}".lstrip("."), section.__dict__[name]
        if isinstance(value, BaseModel):
            yield from ((found, (name, *below)) for found, below in leaves(value, here))
        else:
            yield here, (name,)


def fields(section: Any, place: str) -> Iterator[tuple[str, FieldInfo]]:
    """Yield each key that is no section: its place in the file, and its declaration."""
    for field in section.model_fields.values():
        here = f"{place}.{field.alias}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from fields(field.annotation, here)
        else:
            yield here, field


def read(configuration: Any, attributes: Attributes) -> object:
    """Read a value as a service does."""
    for name in attributes:
        configuration = getattr(configuration, name)
    return configuration


def changed(section: Any, attributes: Attributes, other: object = None) -> Any:
    """Return a copy with another value at one place, the given one if any; else it need not be a valid one."""
    name, *below = attributes
    value = section.__dict__[name]
    new = changed(value, tuple(below), other) if below else _other(value) if other is None else other
    return section.model_copy(update={name: new})


def _other(value: object) -> object:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return f"{value}x"
        case SecretStr():
            return SecretStr(value.get_secret_value()[:-1] + "0")
        case Path():
            return value / "x"
        case tuple():
            return (*value, *value[:1]) if value else (1,)
        case dict():
            return {**value, "another": "0x" + "ab" * 20}
        case _:
            return "0x" + "ab" * 20


def whole(document: dict[str, Any], **solution: Any) -> Configuration:
    """Return the configuration of a document, with other values in its solution."""
    return Configuration.model_validate({"solution": document["solution"] | solution}, by_alias=True)
