"""A log line as a person reads it: time, level, service, message, fields; a line of another form stays as it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson

LEVELS: Final = ("debug", "info", "warning", "error", "critical")
_OF_LINE: Final = frozenset({"event", "level", "time", "service"})
_TRACEBACK: Final = "exception"


@dataclass(frozen=True, slots=True)
class ReadLine:
    """Hold a line: its level is empty where it has none, `fields` are what stands beside the message."""

    service: str
    time_ms: int
    level: str
    message: str
    fields: Mapping[str, Any]

    def at_least(self, level: str) -> bool:
        """Tell whether it is of that level or a worse one; a line without a level is of every level."""
        if not level or self.level not in LEVELS:
            return True
        return LEVELS.index(self.level) >= LEVELS.index(level)

    @property
    def text(self) -> str:
        """Return the line for a person; a traceback follows on lines of its own."""
        at = datetime.fromtimestamp(self.time_ms / 1000, UTC).strftime("%H:%M:%S.%f")[:-3]
        said = " ".join(f"{name}={_shown(value)}" for name, value in self.fields.items() if name != _TRACEBACK)
        parts = (at, f"{self.level:<8}", f"{self.service:<18}", self.message, said)
        trace = self.fields.get(_TRACEBACK)
        return " ".join(part for part in parts if part).rstrip() + (f"\n{trace}" if isinstance(trace, str) else "")

    def as_dict(self) -> dict[str, object]:
        """Return the line for a program, flat: no JSON stands as text in it."""
        head = {"service": self.service, "time_ms": self.time_ms, "level": self.level or None, "message": self.message}
        return {**{name: value for name, value in self.fields.items() if name not in head}, **head}


def read_line(service: str, time_ms: int, text: str) -> ReadLine:
    """Return a line that a service wrote, one of JSON with its parts."""
    try:
        said = orjson.loads(text) if text.startswith("{") else None
    except orjson.JSONDecodeError:
        said = None
    if not isinstance(said, dict) or not isinstance(said.get("event"), str):
        return ReadLine(service, time_ms, "", text, {})
    fields = {name: value for name, value in said.items() if name not in _OF_LINE}
    return ReadLine(service, time_ms, str(said.get("level") or ""), said["event"], fields)


def _shown(value: object) -> str:
    is_plain = isinstance(value, str) and value and not any(sign.isspace() or sign in '"=' for sign in value)
    return str(value) if is_plain else orjson.dumps(value).decode()
