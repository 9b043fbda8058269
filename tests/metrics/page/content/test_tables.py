"""What is known of the mesh, as the tables of the page."""

from dataclasses import replace

import pytest

from meshkit.listings import balances, feeds, services, sources
from meshkit.listings.durations import duration
from services.metrics.page.content.tables import FEEDS_A_PAGE, Choice, chosen, view
from services.metrics.page.content.view import Cell, Table
from services.metrics.verdict.verdict import Link, LinkName, LinkState, Verdict
from tests.metrics.page.meshes import NOW_S, heard, mesh, observed


def table(name: str, tables: tuple[Table, ...]) -> Table:
    """Return a table by its id."""
    return next(each for each in tables if each.id == name)


def texts(cells: tuple[Cell, ...]) -> tuple[str, ...]:
    """Return what is read in cells."""
    return tuple(cell.text if cell.since_ms is None else duration(NOW_S - cell.since_ms / 1000) for cell in cells)


def test_the_page_says_what_the_commands_say() -> None:
    """Services, feeds, sources and money have the texts of `status`, `feeds`, `sources` and `balances`, in order."""
    said, shown = heard(), view(mesh(), Choice(), NOW_S).tables
    assert not isinstance(said.services, str)
    assert not isinstance(said.feeds, str)
    assert not isinstance(said.sources, str)
    assert not isinstance(said.money, str)

    for name, rows in {
        "services": [services.row(each, NOW_S) for each in said.services.services],
        "feeds": [feeds.row(each, NOW_S) for each in said.feeds.feeds],
        "sources": [sources.row(each, NOW_S) for each in said.sources.sources],
        "money": list(balances.rows(said.money)),
    }.items():
        found = table(name, shown)
        assert rows == [texts(row.cells)[: len(rows[0])] for row in found.rows]
        assert all(found.columns)
    assert balances.footer(said.money) in table("money", shown).notes


def test_feeds_have_market_gap_plot_and_way() -> None:
    """Beside what the command says are the state, the market's price, the gap, a plot and the last round's way."""
    first, second = table("feeds", view(mesh(), Choice(), NOW_S).tables).rows

    state, market, gap, plot, way = first.cells[6:]
    assert ("fresh", "101.5", "+99.5 bps", 2, 6) == (state.text, market.text, gap.text, len(plot.lines), len(way.parts))
    assert ("/feeds/BTC%20%2F%20USD", "/feeds/BTC%20%2F%20USD?round=9") == (first.cells[0].link, way.link)
    assert "not known" == second.cells[-1].text


def test_sources_have_a_score() -> None:
    """A source's score is the aggregator's, the one of the alert; a source without a feed that has a price has none."""
    found = table("sources", view(mesh(), Choice(), NOW_S).tables)
    place = found.columns.index("score")

    assert [("up", "75 %"), ("fails", "")] == [(row.cells[1].text, row.cells[place].text) for row in found.rows]


def test_alerts_are_the_broken_links_and_what_is_borne() -> None:
    """Each word of a broken link is an alert with its link's name, then come the remarks; without any that is said."""
    seen = mesh()
    assert ("no alert",) == table("alerts", view(seen, Choice(), NOW_S).tables).notes
    broken = Link(LinkName.ORACLES, LinkState.BROKEN, ("too few", "and more"))
    seen.judged(Verdict(("too few", "and more"), ("node-3 is backoff",), (broken,)))

    shown = view(seen, Choice(), NOW_S)
    found = [texts(row.cells) for row in table("alerts", shown.tables).rows]
    assert [
        ("broken", "oracles", "too few"),
        ("broken", "oracles", "and more"),
        ("borne", "", "node-3 is backoff"),
    ] == found
    assert (False, "too few (and 1 more)") == (shown.well, shown.words)


def test_who_gives_no_answer_is_named_and_what_was_known_stays() -> None:
    """A part without an answer is said under its table, whose rows stay: nobody is dead because nobody tells."""
    seen, said = mesh(), heard()
    seen.note(replace(said, services="no right", feeds="away"), observed(), 20, NOW_S)

    shown = view(seen, Choice(), NOW_S).tables
    words = "gives no answer, what is shown is the last that was known"
    assert f"the supervisor {words}: no right" in table("services", shown).notes
    assert f"the operator {words}: away" in table("feeds", shown).notes
    assert (2, 2) == (len(table("services", shown).rows), len(table("feeds", shown).rows))


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (Choice(), (FEEDS_A_PAGE, 1, 3)),
        (Choice(page=3), (100 - 2 * FEEDS_A_PAGE, 3, 3)),
        (Choice(page=99), (100 - 2 * FEEDS_A_PAGE, 3, 3)),
        (Choice("feed 9"), (11, 1, 1)),
        (Choice("none"), (0, 1, 1)),
    ],
)
def test_many_feeds_come_in_pages(choice: Choice, expected: tuple[int, int, int]) -> None:
    """Of 100 feeds a viewer has a page, the last one for a number beyond it, and those with a text in their names."""
    seen = mesh([f"Feed {index}" for index in range(100)], seen_times=1)

    names, page, pages = chosen(seen, choice)
    assert expected == (len(names), page, pages)
    assert names == [row.key for row in table("feeds", view(seen, choice, NOW_S).tables).rows]
