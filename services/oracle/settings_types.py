"""The tables of the node's TOML files: Go-like names for keys, Go's texts for durations, sizes and amounts of wei."""

import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from chainlink.units import parse_duration_s, parse_size, parse_wei

_ACRONYMS = {"api": "API", "evm": "EVM", "http": "HTTP", "id": "ID", "ip": "IP", "json": "JSON", "ocr": "OCR"}
_ACRONYMS |= {"p2p": "P2P", "ttl": "TTL", "url": "URL", "ws": "WS", "ocr2": "OCR2", "eip1559": "EIP1559"}
_UNIT = re.compile(r"_(?:s|wei|bytes)$")


def _toml_name(name: str) -> str:
    return "".join(_ACRONYMS.get(part, part.capitalize()) for part in _UNIT.sub("", name).split("_"))


def _read(parse: Any) -> BeforeValidator:
    return BeforeValidator(lambda value: parse(value) if isinstance(value, str) else value)


Duration = Annotated[float, _read(parse_duration_s), Field(ge=0)]
Size = Annotated[int, _read(parse_size), Field(ge=0)]
Wei = Annotated[int, _read(parse_wei), Field(ge=0)]
Port = Annotated[int, Field(ge=0, le=65535)]


class Table(BaseModel):
    """One table of TOML; keys of the real node that we have no use for are let through."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=_toml_name, populate_by_name=False)
