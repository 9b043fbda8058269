"""What goes over the line."""

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.metrics.page.content.changes import changes
from services.metrics.page.content.view import Cell, Part, Row, Table, Tone, View

CELLS = st.builds(Cell, st.sampled_from(["", "a", "b"]), st.sampled_from(Tone), st.sampled_from([None, 5]))
ROWS = st.lists(st.sampled_from("wxyz"), unique=True).flatmap(
    lambda keys: st.tuples(*(st.builds(Row, st.just(key), st.tuples(CELLS, CELLS)) for key in keys))
)
TABLES = st.tuples(
    *(
        st.builds(Table, st.just(name), st.just(name), st.just(("one", "two")), ROWS, st.sampled_from([(), ("n",)]))
        for name in "ab"
    )
)
VIEWS = st.builds(View, st.sampled_from([None, True, False]), st.sampled_from(["", "w"]), TABLES)


def applied(shown: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """Return what a viewer shows after it was told, by the rules that the page's script goes by."""
    after: dict[str, Any] = {
        "verdict": told.get("verdict", shown.get("verdict")),
        "tables": dict(shown.get("tables", {})),
    }
    for name, table in told.get("tables", {}).items():
        before = after["tables"].get(name, {"rows": {}, "notes": []})
        rows = before["rows"] | table.get("rows", {})
        order = table.get("order", list(before["rows"]))
        after["tables"][name] = {
            "rows": {key: rows[key] for key in order},
            "notes": table.get("notes", before["notes"]),
        }
    return after


@settings(max_examples=40)
@given(st.lists(VIEWS, min_size=1, max_size=3))
def test_whoever_takes_in_all_changes_has_the_last_view(views: list[View]) -> None:
    """Changes from view to view, taken in one after the other, are the last view, as if it were told alone."""
    shown: dict[str, Any] = {}
    before: View | None = None
    for each in views:
        shown = applied(shown, changes(before, each))
        before = each

    assert applied({}, changes(None, views[-1])) == shown


@settings(max_examples=40)
@given(VIEWS)
def test_nothing_changed_is_nothing_told(view: View) -> None:
    """To whom has the view already nothing is told."""
    assert {} == changes(view, replace(view))


def test_one_cell() -> None:
    """A row with one other cell is told alone, without what is empty; its drawing as numbers."""
    rows = (Row("x", (Cell("x"), Cell("1"))), Row("y", (Cell("y"), Cell("2"))))
    before = View(True, "w", (Table("a", "A", ("one", "two"), rows),))
    drawn = Cell("3", Tone.BAD, parts=(Part("served", 1, 2, "served 4 ms"),))
    after = replace(before, tables=(replace(before.tables[0], rows=(rows[0], Row("y", (Cell("y"), drawn)))),))

    expected = {"text": "3", "tone": "bad", "parts": [["served", 1, 2, "served 4 ms"]]}
    assert {"tables": {"a": {"rows": {"y": [{"text": "y"}, expected]}}}} == changes(before, after)
