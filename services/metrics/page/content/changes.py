"""The difference of two views as a small JSON document: only what changed goes over the line."""

from collections.abc import Mapping
from typing import Any

from services.metrics.page.content.view import Cell, Table, View


def changes(before: View | None, after: View) -> dict[str, Any]:
    """
    Return what has to be told to one who has `before`; empty if nothing has. Without `before` everything is told.

        {"verdict": {"well": true, "words": "…"},
         "tables": {"services": {"order": ["dbinit", …], "rows": {"dbinit": [{"text": "dbinit"}, …]}, "notes": []}}}

    `order` is there if rows came, went or moved; `rows` has those that differ.
    """
    told: dict[str, Any] = {}
    if before is None or (before.well, before.words) != (after.well, after.words):
        told["verdict"] = {"well": after.well, "words": after.words}
    known = {} if before is None else {table.id: table for table in before.tables}
    tables = {table.id: found for table in after.tables if (found := _of_table(known.get(table.id), table))}
    if tables:
        told["tables"] = tables
    return told


def _of_table(before: Table | None, after: Table) -> dict[str, Any]:
    if before == after:
        return {}
    rows = {} if before is None else {row.key: row.cells for row in before.rows}
    found: dict[str, Any] = {}
    order = [row.key for row in after.rows]
    if before is None or order != list(rows):
        found["order"] = order
    differing = {
        row.key: [cell_json(cell) for cell in row.cells] for row in after.rows if rows.get(row.key) != row.cells
    }
    if differing:
        found["rows"] = differing
    if before is None or before.notes != after.notes:
        found["notes"] = list(after.notes)
    return found


def cell_json(cell: Cell) -> Mapping[str, Any]:
    """Return a cell without what is empty."""
    said: dict[str, Any] = {"text": cell.text, "tone": cell.tone.value, "since_ms": cell.since_ms, "link": cell.link}
    said["lines"] = list(cell.lines)
    said["parts"] = [[part.hop, part.x, part.width, part.words] for part in cell.parts]
    return {name: value for name, value in said.items() if value not in ("", None, [])}
