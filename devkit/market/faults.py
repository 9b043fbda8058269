"""Faults on command: what a source does wrong until told otherwise."""

from dataclasses import dataclass, field
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from meshkit.errors import InvalidInput


class Fault(BaseModel):
    """
    Describe how a source misbehaves.

    `latency_ms` delays every answer. `limit` gives the source's own limit answer. `status` and `body` replace the
    answer; a text body is sent as it stands (so it may be malformed), anything else as JSON.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    latency_ms: Annotated[int, Field(ge=0, le=600_000)] = 0
    status: Annotated[int, Field(ge=200, le=599)] | None = None
    body: JsonValue = None
    limit: bool = False

    @property
    def replaces(self) -> bool:
        """Tell whether the answer itself is replaced."""
        return self.status is not None or "body" in self.model_fields_set


def parse_fault(text: bytes) -> Fault:
    """Read a fault from JSON; raise InvalidInput naming the first bad field."""
    try:
        return Fault.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"]) or "body"
        raise InvalidInput(name, first["input"], f"{first['msg']}; fields: {', '.join(Fault.model_fields)}") from error


@dataclass(slots=True)
class SourceControl:
    """Hold a source's present fault and how many requests reached the source."""

    fault: Fault = field(default_factory=Fault)
    requests: int = 0
