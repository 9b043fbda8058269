"""Attributes of a task, taken one by one and checked when the text is read."""

from collections.abc import Callable
from typing import TypeVar

from chainlink.units import parse_duration_s
from services.oracle.pipeline.errors import SpecificationError

_Value = TypeVar("_Value")


class Attributes:
    """Take attributes by name; `done` refuses what nobody took."""

    def __init__(self, task: str, values: dict[str, str]) -> None:
        self._task = task
        self._values = dict(values)

    def text(self, name: str, default: str | None = None) -> str | None:
        """Take a text."""
        return self._values.pop(name, default)

    def required(self, name: str) -> str:
        """Take a text that must be there and not be empty."""
        value = self._values.pop(name, "")
        if not value:
            raise self.error(name, "nothing", "a value")
        return value

    def flag(self, name: str) -> bool:
        """Take true or false; false if it is missing."""
        return self._parsed(name, "false", lambda text: {"true": True, "false": False}[text.lower()], "true or false")

    def integer(self, name: str, default: int | None = None) -> int | None:
        """Take a whole number from 0."""
        if not self._values.get(name):
            self._values.pop(name, None)
            return default

        def parse(text: str) -> int:
            if not text.isdigit():
                raise ValueError
            return int(text)

        return self._parsed(name, "0", parse, "a whole number from 0")

    def duration(self, name: str) -> float | None:
        """Take a duration in seconds; None if it is missing."""
        if name not in self._values:
            return None
        return self._parsed(name, "0s", parse_duration_s, "a duration such as 5s")

    def done(self) -> None:
        """Refuse attributes that the task does not have."""
        for name, value in self._values.items():
            raise self.error(name, value, "an attribute of this type of task")

    def error(self, name: str, found: object, allowed: str) -> SpecificationError:
        """Return the error for one attribute."""
        return SpecificationError(f"observationSource.{self._task}.{name}", found, allowed)

    def _parsed(self, name: str, default: str, parse: Callable[[str], _Value], allowed: str) -> _Value:
        text = self._values.pop(name, default)
        try:
            return parse(text)
        except (ValueError, KeyError) as error:
            raise self.error(name, text, allowed) from error
