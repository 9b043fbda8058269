"""What a bench found, as a table for people and as JSON for programs."""

from collections.abc import Container, Mapping
from dataclasses import asdict, dataclass

import orjson
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """
    Hold one measured number.

    Attributes:
        at_least: The least value that is good enough, if there is a target.
        at_most: The greatest value that is good enough, if there is a target.
        more_is_better: The direction of a value without a target, if it has one.
    """

    name: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None
    more_is_better: bool | None = None

    @property
    def is_more_better(self) -> bool | None:
        """Tell in which direction the value is better; None if in neither."""
        if self.at_least is not None or self.at_most is not None:
            return self.at_least is not None
        return self.more_is_better

    @property
    def target(self) -> str:
        """Return the target as text, empty if there is none."""
        if self.at_least is not None:
            return f"≥ {_text(self.at_least)}"
        return "" if self.at_most is None else f"≤ {_text(self.at_most)}"

    @property
    def is_reached(self) -> bool | None:
        """Tell whether the target is reached; None if there is none."""
        if self.at_least is not None:
            return self.value >= self.at_least
        return None if self.at_most is None else self.value <= self.at_most


@dataclass(frozen=True, slots=True)
class Report:
    """Hold the rows of one bench, and what a reader must know to judge them."""

    title: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    def json(self, changes: Mapping[int, float] | None = None) -> bytes:
        """Return the report as one JSON object, with how each value stands to the kept one."""
        of_kept = changes or {}
        rows = [
            {**asdict(row), "reached": row.is_reached, "of_kept": of_kept.get(place)}
            for place, row in enumerate(self.rows)
        ]
        return orjson.dumps({"title": self.title, "rows": rows, "notes": self.notes}, option=orjson.OPT_INDENT_2)

    def show(
        self, console: Console, changes: Mapping[int, float] | None = None, backwards: Container[int] = ()
    ) -> None:
        """Print the report as a table; `changes` tell by row how the value stands to the kept one."""
        table = Table(title=self.title, title_justify="left")
        for heading in ("measured", "value", "unit", "target", "", "of the kept"):
            table.add_column(heading, justify="right" if heading in ("value", "of the kept") else "left")
        for place, row in enumerate(self.rows):
            mark = {True: "[green]reached[/]", False: "[red]missed[/]", None: ""}[row.is_reached]
            change = (changes or {}).get(place)
            stands = "" if change is None else f"{change:.2f}"
            shown = f"[red]{stands} worse[/]" if place in backwards else stands
            table.add_row(row.name, _text(row.value), row.unit, row.target, mark, shown)
        console.print(table)
        for note in self.notes:
            console.print(f"- {note}", highlight=False)


def _text(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"
