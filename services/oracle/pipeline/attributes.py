"""Attributes of a task, taken one by one; those that every task has are checked when the text is read."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self, TypeVar

from chainlink.units import NS_PER_S
from services.oracle import go_texts
from services.oracle.pipeline.errors import SpecificationError

_Value = TypeVar("_Value")
_DEFAULT_MIN_BACKOFF_S = 5.0
_DEFAULT_MAX_BACKOFF_S = 60.0
_BITS = 32
_ANY_BASE = re.compile(r"[+-]?0(?:[xX][0-9a-fA-F]+|[bB][01]+|[oO]?[0-7]+)")
_FAULTY = "UnmarshalTaskFromMap: decoding failed due to the following error(s):\n\n"


class Attributes:
    """Take attributes by name, in upper or lower case as the node does; `unknown` are those that nobody took."""

    def __init__(self, task_id: str, values: dict[str, str]) -> None:
        self.task_id = task_id
        self._names = {name.lower(): name for name in values}
        self._values = {name.lower(): value for name, value in values.items()}
        self._faults: list[str] = []

    def text(self, name: str, default: str = "") -> str:
        """Take a text."""
        return self._values.pop(name.lower(), default)

    def flag(self, name: str) -> bool:
        """Take true or false; false if it is missing or empty."""
        return self._parsed(name, False, go_texts.boolean, f"cannot parse '{name}' as bool", may_be_empty=True)

    def number(self, name: str) -> int:
        """Take a whole number of 32 bits as Go reads one, `0x10` too; 0 if it is missing or empty."""
        return self._parsed(name, 0, _number, f"cannot parse '{name}' as int", may_be_empty=True)

    def natural(self, name: str) -> int:
        """Take a whole number from 0 of 32 bits; 0 if it is missing."""
        return self._parsed(name, 0, lambda text: go_texts.natural(text, _BITS), f"error decoding '{name}'")

    def duration(self, name: str) -> float | None:
        """Take a duration in seconds; None if it is missing."""
        fault = f"error decoding '{name}'"
        return self._parsed(name, None, lambda text: go_texts.duration_ns(text) / NS_PER_S, fault)

    def unknown(self) -> tuple[str, ...]:
        """Return the names that nobody took."""
        return tuple(self._names[name] for name in self._values)

    def check(self) -> None:
        """Raise SpecificationError with all values that could not be taken."""
        if self._faults:
            raise SpecificationError(_FAULTY + "\n".join(self._faults))

    def _parsed(
        self, name: str, default: _Value, parse: Callable[[str], _Value], fault: str, *, may_be_empty: bool = False
    ) -> _Value:
        text = self._values.pop(name.lower(), None)
        if text is None or (may_be_empty and not text):
            return default
        try:
            return parse(text)
        except ValueError as error:
            self._faults.append(f"{fault}: {error}")
            return default


def _number(text: str) -> int:
    if len(text) < _BITS + 4 and _ANY_BASE.fullmatch(text):
        bare = text.lstrip("+-")
        number = int(bare, 8 if bare[1:2].isdigit() else 0)
        # The range is that of a decimal number.
        return go_texts.integer(str(-number if text.startswith("-") else number), _BITS)
    return go_texts.integer(text, _BITS)


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
        """Take the attributes; SpecificationError names those that are wrong."""
        index, timeout_s = attributes.number("index"), attributes.duration("timeout")
        fail_early, retries = attributes.flag("failEarly"), attributes.natural("retries")
        least_s, most_s = attributes.duration("minBackoff") or 0.0, attributes.duration("maxBackoff") or 0.0
        attributes.text("tags")
        attributes.natural("streamID")
        attributes.check()
        if index < 0:
            raise SpecificationError("UnmarshalTaskFromMap: result sorting indexes should start with 0")
        return cls(
            index,
            timeout_s,
            fail_early,
            retries,
            least_s if least_s > 0 else _DEFAULT_MIN_BACKOFF_S,
            most_s if least_s > 0 else _DEFAULT_MAX_BACKOFF_S,
        )
