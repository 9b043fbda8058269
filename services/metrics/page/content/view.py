"""What one viewer sees: tables of texts, without any markup; two views of the same tables can be compared."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Tone(StrEnum):
    """Name how a text is meant; it is only ever said beside the text, never instead of it."""

    PLAIN = ""
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    QUIET = "quiet"


@dataclass(frozen=True, slots=True)
class Part:
    """Hold one hop of a bar: its name, where it begins and how long it is in the bar's units, and its words."""

    hop: str
    x: int
    width: int
    words: str


@dataclass(frozen=True, slots=True)
class Cell:
    """
    Hold one cell of a table.

    Attributes:
        text: What is read; with a drawing, what it shows in words.
        since_ms: Unix time since which a duration is counted that stands in the place of the text.
        link: A path of this page.
        lines: The points of each line of a plot, as SVG has them.
        parts: The hops of a bar.
    """

    text: str = ""
    tone: Tone = Tone.PLAIN
    since_ms: int | None = None
    link: str = ""
    lines: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """Hold one row; the key is its own in its table."""

    key: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Hold a table: its id, what it is of, the columns' headings, and what is said below it or where it has no row."""

    id: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class View:
    """Hold all that one viewer sees; `well` is None while nobody has judged yet."""

    well: bool | None
    words: str
    tables: tuple[Table, ...]


def plain(texts: Iterable[str]) -> list[Cell]:
    """Return a cell for each text."""
    return [Cell(text) for text in texts]
