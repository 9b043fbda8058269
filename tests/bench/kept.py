"""The last kept results of the benches (kept.json): what a new run is compared with, so that a step back is seen."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson

from tests.bench.report import Report, Row

FILE = Path(__file__).with_name("kept.json")
# What a noisy machine does not explain.
_STEP = 1.25
# Times by the clock and rates of a core depend on the machine; with the reference's time they are scaled to this one's.
_GROW_WITH_SPEED = frozenset({"requests/s·core", "quotes/s·core", "requests/s"})
_SHRINK_WITH_SPEED = frozenset({"s/s", "ms/round", "ms", "s", "s of processor time", "µs"})


@dataclass(frozen=True, slots=True)
class Kept:
    """Hold one bench's kept values by the names of its rows, and the reference work's time when they were measured."""

    reference_ms: float
    values: Mapping[str, float]


def load(file: Path = FILE) -> dict[str, Kept]:
    """Return the kept results by the titles of their reports; none where there is no file."""
    if not file.exists():
        return {}
    found = orjson.loads(file.read_bytes())
    return {title: Kept(each["referenceMs"], each["values"]) for title, each in found.items()}


def keep(report: Report, reference_ms: float, file: Path = FILE) -> None:
    """Put a report's values in the place of those that were kept of its bench before."""
    kept = load(file)
    kept[report.title] = Kept(reference_ms, dict(_named(report.rows)))
    document = {
        title: {"referenceMs": round(each.reference_ms, 3), "values": {k: round(v, 4) for k, v in each.values.items()}}
        for title, each in sorted(kept.items())
    }
    file.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")


def compared(report: Report, kept: Kept, reference_ms: float) -> dict[int, float]:
    """
    Return by the places of rows how their values stand to the kept ones, 1 for as before.

    A time is divided by the reference work's and a rate multiplied with it, so that another machine is no step.
    """
    speed = kept.reference_ms / reference_ms
    found = {}
    for place, (name, value) in enumerate(_named(report.rows)):
        before, unit = kept.values.get(name), report.rows[place].unit
        if before:
            scale = 1 / speed if unit in _GROW_WITH_SPEED else speed if unit in _SHRINK_WITH_SPEED else 1.0
            found[place] = value * scale / before
    return found


def is_step_back(row: Row, change: float) -> bool:
    """Tell whether a row with a direction has become worse than noise explains."""
    if row.is_more_better is None:
        return False
    return change < 1 / _STEP if row.is_more_better else change > _STEP


def _named(rows: Iterable[Row]) -> list[tuple[str, float]]:
    """Return the values by full names: a row that begins with spaces belongs to the last one that does not."""
    head, found = "", []
    for row in rows:
        head = head if row.name.startswith(" ") else row.name
        found.append((row.name if row.name == head else f"{head}:{row.name.rstrip()}", row.value))
    return found
