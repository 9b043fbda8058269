"""How a series goes while all is calm and while something is wrong: values at every step of a rule's test."""

from collections.abc import Callable
from typing import Final, TypeAlias

STEP_S: Final = 60
FAULT_FROM_S: Final = 6 * 60
FAULT_UNTIL_S: Final = 32 * 60
END_S: Final = 52 * 60

Line: TypeAlias = Callable[[int, float], float | None]
"""Gives the value at a time in seconds, told the value before; None for no sample."""


def at(value: float) -> Line:
    """Return the line of a value that stands."""
    return lambda _now_s, _before: value


def rising(by: float) -> Line:
    """Return the line of a counter that rises by so much at each step."""
    return lambda _now_s, before: before + by


def now(ago_s: float = 0) -> Line:
    """Return the line of a Unix time that follows the clock."""
    return lambda now_s, _before: now_s - ago_s


def stopped() -> Line:
    """Return the line of what stays as it was."""
    return lambda _now_s, before: before


def absent() -> Line:
    """Return the line of a series of which nothing comes."""
    return lambda _now_s, _before: None


def values(calm: Line, fault: Line | None = None) -> str:
    """Return the samples of a whole test as promtool reads them, with the fault between its two times."""
    found, before = [], 0.0
    for now_s in range(0, END_S + 1, STEP_S):
        faulty = fault is not None and FAULT_FROM_S <= now_s < FAULT_UNTIL_S
        value = fault(now_s, before) if faulty and fault is not None else calm(now_s, before)
        found.append("_" if value is None else f"{value:g}" if abs(value) < 1e5 else f"{value:.0f}")
        before = before if value is None else value
    return " ".join(found)
