"""What a bench found, as a table for people and as JSON for programs."""

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
    """

    name: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None

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

    def json(self) -> bytes:
        """Return the report as one JSON object."""
        rows = [{**asdict(row), "reached": row.is_reached} for row in self.rows]
        return orjson.dumps({"title": self.title, "rows": rows, "notes": self.notes}, option=orjson.OPT_INDENT_2)

    def show(self, console: Console) -> None:
        """Print the report as a table."""
        table = Table(title=self.title, title_justify="left")
        for heading in ("measured", "value", "unit", "target", ""):
            table.add_column(heading, justify="right" if heading == "value" else "left")
        for row in self.rows:
            mark = {True: "[green]reached[/]", False: "[red]missed[/]", None: ""}[row.is_reached]
            table.add_row(row.name, _text(row.value), row.unit, row.target, mark)
        console.print(table)
        for note in self.notes:
            console.print(f"- {note}", highlight=False)


def _text(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"
