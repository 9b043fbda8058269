"""Attributes of a task, taken one by one; those that every task has are checked when the text is read."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self, TypeVar

from chainlink.units import parse_duration_s
from services.oracle.pipeline.errors import SpecificationError
from services.oracle.pipeline.parameters import to_bool

_Value = TypeVar("_Value")
_DEFAULT_MIN_BACKOFF_S = 5.0
_DEFAULT_MAX_BACKOFF_S = 60.0
_LARGEST = 2**31 - 1
_NUMBER = re.compile(r"[+-]?(?:0[xX][0-9a-fA-F]{1,8}|0[bB][01]{1,32}|0[oO]?[0-7]{1,11}|[0-9]{1,10})")


class Attributes:
    """Take attributes by name, in upper or lower case as the node does; `unknown` are those that nobody took."""

    def __init__(self, task_id: str, values: dict[str, str]) -> None:
        self.task_id = task_id
        self._names = {name.lower(): name for name in values}
        self._values = {name.lower(): value for name, value in values.items()}

    def text(self, name: str, default: str = "") -> str:
        """Take a text."""
        return self._values.pop(name.lower(), default)

    def flag(self, name: str) -> bool:
        """Take true or false; false if it is missing or empty."""
        return self._parsed(name, False, lambda text: to_bool(text), "true or false")

    def number(self, name: str) -> int:
        """Take a whole number of 32 bits as Go reads one, `0x10` too; 0 if it is missing or empty."""

        def parse(text: str) -> int:
            if not _NUMBER.fullmatch(text):
                raise ValueError(text)
            bare = text.lstrip("+-")
            is_octal = len(bare) > 1 and bare[0] == "0" and bare[1] in "01234567"
            number = int(bare, 8 if is_octal else 0)
            number = -number if text.startswith("-") else number
            if abs(number) > _LARGEST:
                raise ValueError(text)
            return number

        return self._parsed(name, 0, parse, "a whole number")

    def natural(self, name: str) -> int:
        """Take a whole number from 0 of ten digits at most; 0 if it is missing."""

        def parse(text: str) -> int:
            if not re.fullmatch(r"[0-9]{1,10}", text) or int(text) >= 2**32:
                raise ValueError(text)
            return int(text)

        return self._parsed(name, 0, parse, "a whole number from 0")

    def duration(self, name: str) -> float | None:
        """Take a duration in seconds; None if it is missing."""
        return self._parsed(name, None, parse_duration_s, "a duration such as 5s", empty_is_missing=False)

    def unknown(self) -> tuple[str, ...]:
        """Return the names that nobody took."""
        return tuple(self._names[name] for name in self._values)

    def error(self, name: str, found: object, allowed: str) -> SpecificationError:
        """Return the error for one attribute."""
        return SpecificationError(f"observationSource.{self.task_id}.{name}", found, allowed)

    def _parsed(
        self,
        name: str,
        default: _Value,
        parse: Callable[[str], _Value],
        allowed: str,
        *,
        empty_is_missing: bool = True,
    ) -> _Value:
        text = self._values.pop(name.lower(), None)
        if text is None or (empty_is_missing and not text):
            return default
        try:
            return parse(text)
        except Exception as error:
            raise self.error(name, text, allowed) from error


@dataclass(frozen=True, slots=True)
class Common:
    """
    Hold what every task may say of itself.

    Attributes:
        index: Its place among the results and among the inputs of another.
        timeout_s: Its own limit; None if it has none, 0 if it asks for no limit.
        fail_early: Whether its failure ends the run.
        retries: How often it is tried again after a failure that may pass.
        min_backoff_s, max_backoff_s: The wait before the first retry, which doubles, and the longest wait.
    """

    index: int
    timeout_s: float | None
    fail_early: bool
    retries: int
    min_backoff_s: float
    max_backoff_s: float

    @classmethod
    def read(cls, attributes: Attributes) -> Self:
        """Take the attributes; SpecificationError names the one that is wrong."""
        index = attributes.number("index")
        if index < 0:
            raise attributes.error("index", index, "a whole number: result sorting indexes should start with 0")
        least_s, most_s = attributes.duration("minBackoff") or 0.0, attributes.duration("maxBackoff") or 0.0
        attributes.text("tags")
        attributes.natural("streamID")
        return cls(
            index,
            attributes.duration("timeout"),
            attributes.flag("failEarly"),
            attributes.natural("retries"),
            least_s if least_s > 0 else _DEFAULT_MIN_BACKOFF_S,
            most_s if least_s > 0 else _DEFAULT_MAX_BACKOFF_S,
        )
