"""What is known of the mesh as the tables of the page, with the texts of the commands that show the same."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

from feedmesh.operator.v1 import operator_service_pb2 as operator
from feedmesh.supervisor.v1 import supervisor_service_pb2 as supervisor
from meshkit.listings import balances as balance_listing
from meshkit.listings import feeds as feed_listing
from meshkit.listings import services as service_listing
from meshkit.listings import sources as source_listing
from services.metrics.page.content.bars import bar
from services.metrics.page.content.seen import MeshSeen
from services.metrics.page.content.view import Cell, Row, Table, Tone, View, plain
from services.metrics.verdict.feed_metrics import gap_bps
from services.metrics.verdict.verdict import LinkState

FEEDS_A_PAGE: Final = 40
NO_VERDICT: Final = "nobody has judged the mesh yet"
_STATE_TONES: Final = {
    "healthy": Tone.GOOD,
    "completed": Tone.GOOD,
    "starting": Tone.WARN,
    "stopping": Tone.WARN,
    "pending": Tone.QUIET,
    "stopped": Tone.QUIET,
    "backoff": Tone.BAD,
    "unhealthy": Tone.BAD,
    "failed": Tone.BAD,
    "skipped": Tone.BAD,
}
_SOURCE_TONES: Final = {"up": Tone.GOOD, "off": Tone.QUIET, "no answer yet": Tone.WARN}
_LINK_WORDS: Final = {LinkState.WELL: "ok", LinkState.BROKEN: "BROKEN", LinkState.UNKNOWN: "unknown"}
_LINK_TONES: Final = {LinkState.WELL: Tone.GOOD, LinkState.BROKEN: Tone.BAD, LinkState.UNKNOWN: Tone.WARN}
# The columns of a listing that count from a moment, by name.
_COUNTED: Final = frozenset({"uptime", "age", "last price"})


@dataclass(frozen=True, slots=True)
class Choice:
    """Hold which feeds a viewer sees: those with a text in their names, and of these a page, from 1."""

    find: str = ""
    page: int = 1


def view(seen: MeshSeen, choice: Choice, now_s: float) -> View:
    """Return what a viewer sees now; `now_s` is Unix time."""
    verdict = seen.verdict
    return View(
        None if verdict is None else verdict.well,
        NO_VERDICT if verdict is None else verdict.words,
        (
            _alerts(seen),
            _links(seen),
            _feeds(seen, choice, now_s),
            _services(seen, now_s),
            _sources(seen, now_s),
            _money(seen, now_s),
        ),
    )


def chosen(seen: MeshSeen, choice: Choice) -> tuple[list[str], int, int]:
    """Return the feeds that a viewer sees, of which page that is, and how many pages there are."""
    wanted = choice.find.casefold()
    found = [name for name in seen.feeds if wanted in name.casefold()]
    pages = max(1, -(-len(found) // FEEDS_A_PAGE))
    page = min(max(choice.page, 1), pages)
    return found[(page - 1) * FEEDS_A_PAGE : page * FEEDS_A_PAGE], page, pages


def feed_path(feed: str, round_text: str = "") -> str:
    """Return the path of a feed's own page, of one of its rounds where one is given."""
    path = f"/feeds/{quote(feed, safe='')}"
    return path if not round_text else f"{path}?round={quote(round_text, safe='')}"


def _alerts(seen: MeshSeen) -> Table:
    verdict = seen.verdict
    rows = []
    if verdict is not None:
        broken = [
            (link.name.value, words) for link in verdict.links if link.state is LinkState.BROKEN for words in link.words
        ]
        rows += [_alert(index, "broken", Tone.BAD, name, words) for index, (name, words) in enumerate(broken)]
        rows += [
            _alert(len(broken) + index, "borne", Tone.WARN, "", words) for index, words in enumerate(verdict.remarks)
        ]
    return Table("alerts", "Alerts", ("alert", "link", "what"), tuple(rows), () if rows else ("no alert",))


def _alert(index: int, kind: str, tone: Tone, link: str, words: str) -> Row:
    return Row(str(index), (Cell(kind, tone), Cell(link), Cell(words)))


def _links(seen: MeshSeen) -> Table:
    links = () if seen.verdict is None else seen.verdict.links
    rows = tuple(
        Row(
            link.name.value,
            (
                Cell(link.name.value),
                Cell(_LINK_WORDS[link.state], _LINK_TONES[link.state]),
                Cell("; ".join(link.words)),
            ),
        )
        for link in links
    )
    return Table("links", "The way of a price", ("link", "state", "what was found"), rows)


def _services(seen: MeshSeen, now_s: float) -> Table:
    rows = tuple(_service(service, now_s) for service in seen.services.values())
    columns = _named(service_listing.COLUMNS, "message")
    return Table("services", "Services", columns, rows, _silence(seen, "services", "the supervisor"))


def _service(service: supervisor.Service, now_s: float) -> Row:
    cells = plain(service_listing.row(service, now_s))
    since_ms = service.start_time.ToMilliseconds() if service.pid else None
    cells = _counted(cells, service_listing.COLUMNS, since_ms)
    cells[1] = replace(cells[1], tone=_STATE_TONES.get(cells[1].text, Tone.PLAIN))
    return Row(service.name, tuple(cells))


def _feeds(seen: MeshSeen, choice: Choice, now_s: float) -> Table:
    names, page, pages = chosen(seen, choice)
    columns = (*feed_listing.COLUMNS, "state", "market", "gap", "answer and market", "way of the last round")
    notes = [f"page {page} of {pages}"] if pages > 1 else []
    notes += [f"{name}: {said}" for name in names for said in seen.feeds[name].config_differences]
    rows = tuple(_feed(seen, seen.feeds[name], now_s) for name in names)
    return Table("feeds", "Feeds", columns, rows, (*_silence(seen, "feeds", "the operator"), *notes))


def _feed(seen: MeshSeen, feed: operator.Feed, now_s: float) -> Row:
    cells = plain(feed_listing.row(feed, now_s))
    since_ms = feed.update_time.ToMilliseconds() if feed.HasField("update_time") else None
    cells = _counted(cells, feed_listing.COLUMNS, since_ms)
    cells[0] = replace(cells[0], link=feed_path(feed.name))
    state = seen.states.get(feed.name, "unknown")
    observed = seen.observed.get(feed.name)
    gap = None if observed is None else gap_bps(replace(observed, answer=feed.answer or None))
    lines, words = seen.histories[feed.name].drawn if feed.name in seen.histories else ((), "")
    way = seen.ways.get(feed.name)
    cells += [
        Cell(state.replace("_", " "), Tone.GOOD if state == "fresh" else Tone.WARN),
        Cell("" if observed is None or observed.market is None else observed.market),
        Cell("" if gap is None else f"{gap:+.1f} bps"),
        Cell(words, lines=lines),
        Cell("not known", Tone.QUIET) if way is None else bar(way.moments_ms, feed_path(feed.name, str(way.round_id))),
    ]
    return Row(feed.name, tuple(cells))


def _sources(seen: MeshSeen, now_s: float) -> Table:
    listed = seen.sources
    columns = _named(source_listing.COLUMNS, "message")
    rows = []
    for source in () if listed is None else listed.sources:
        cells = plain(source_listing.row(source, now_s))
        succeeded = source.HasField("last_success_time")
        since_ms = source.last_success_time.ToMilliseconds() if succeeded else None
        cells = _counted(cells, source_listing.COLUMNS, since_ms)
        cells[1] = replace(cells[1], tone=_SOURCE_TONES.get(cells[1].text, Tone.BAD))
        rows.append(Row(source.name, tuple(cells)))
    said = "" if listed is None else source_listing.clock_words(listed.own_clock)
    notes = (*_silence(seen, "sources", "the price aggregator"), *([said] if said else []))
    return Table("sources", "Price sources", columns, tuple(rows), notes)


def _money(seen: MeshSeen, now_s: float) -> Table:
    listed = seen.money
    rows, notes = [], [*_silence(seen, "money", "the operator")]
    if listed is not None:
        for texts in balance_listing.rows(listed):
            cells = plain(texts)
            cells[5] = replace(cells[5], tone=Tone.BAD if cells[5].text else Tone.PLAIN)
            rows.append(Row(texts[0], tuple(cells)))
        notes.append(balance_listing.footer(listed))
        if dry := balance_listing.dry(listed, datetime.fromtimestamp(now_s, UTC)):
            notes.append(dry)
    return Table("money", "Money", _named(balance_listing.COLUMNS, "warning"), tuple(rows), tuple(notes))


def _silence(seen: MeshSeen, part: str, who: str) -> tuple[str, ...]:
    if part not in seen.trouble:
        return ()
    return (f"{who} gives no answer, what is shown is the last that was known: {seen.trouble[part]}",)


def _named(columns: Sequence[str], empty: str) -> tuple[str, ...]:
    """Return headings, each with a name: a terminal may leave one out, a screen reader needs it."""
    return tuple(column or empty for column in columns)


def _counted(cells: list[Cell], columns: Sequence[str], since_ms: int | None) -> list[Cell]:
    """Return the cells with what counts from a moment as such, so that it goes on by itself and is no change."""
    if since_ms is None:
        return cells
    return [
        Cell(since_ms=since_ms) if column in _COUNTED else cell for column, cell in zip(columns, cells, strict=True)
    ]
