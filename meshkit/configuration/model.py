"""What all models of the configuration share: camelCase names in JSON, no unknown keys, frozen values."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class Section(BaseModel):
    """One object of the configuration."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        # Only the JSON spelling is accepted, so that one name serves in files, errors and documentation.
        validate_by_alias=True,
        validate_by_name=False,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )


def without_effect(default: Any, reason: str, **limits: Any) -> Any:
    """
    Return a field that existing files may set although it changes nothing; the documentation gives the reason.

    Reading such a field raises a DeprecationWarning, so that code and documentation cannot disagree.
    """
    return Field(default, description=f"Accepted without effect: {reason}", deprecated=reason, **limits)


def set_without_effect(section: BaseModel, path: str) -> Iterator[tuple[str, str]]:
    """Yield place and reason of each setting of a section, and below it, that is given without effect."""
    fields = type(section).model_fields
    for name, value in section:
        if name not in section.model_fields_set:
            continue
        place = f"{path}.{fields[name].alias}"
        if isinstance(reason := fields[name].deprecated, str):
            yield place, reason
        for key, below in value.items() if isinstance(value, dict) else [("", value)]:
            if isinstance(below, BaseModel):
                yield from set_without_effect(below, f"{place}.{key}".rstrip("."))
