"""What an alert is a table of: the rule, the words of its runbook, and the fault that proves it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from scripts.monitoring.timeline import Line


@dataclass(frozen=True, slots=True)
class Alert:
    """
    One alert.

    Attributes:
        name: In camel case, as Prometheus' alerts are.
        expr: Is true while it is to fire.
        hold: How long that must last, in Prometheus' words.
        severity: critical where a feed has no right answer on chain, or soon; warning where it bears one more fault.
        summary: One line; labels of the expression in Prometheus' template.
        means: What has happened.
        look: Where one sees why.
        act: What to do.
        fault: The series that show it, each with how it goes then.
        also: Other alerts that the same fault sets off.
    """

    name: str
    expr: str
    hold: str
    severity: Literal["critical", "warning"]
    summary: str
    means: str
    look: str
    act: str
    fault: Mapping[str, Line] = field(repr=False)
    also: tuple[str, ...] = ()

    @property
    def anchor(self) -> str:
        """Return the name of its runbook in docs/operations.md."""
        return self.name.lower()
