"""The page as HTML: all that is known as plain tables, which a script then keeps up to date."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode

from meshkit.listings.durations import duration
from meshkit.ocr.hops import HOPS
from services.metrics.page.content import history
from services.metrics.page.content.bars import WIDTH as BAR_WIDTH
from services.metrics.page.content.tables import Choice
from services.metrics.page.content.view import Cell, Row, Table, View
from services.metrics.page.markup.elements import Markup, joined, tag

RELOAD_S: Final = 5
_BAR_HEIGHT: Final = 10
_LINES: Final = ("answer", "market")


def page(view: View, choice: Choice, pages: int, now_s: float) -> str:
    """Return the page; without a script a browser loads it again every few seconds."""
    tables = {table.id: table for table in view.tables}
    sections = [
        _section(tables["alerts"], now_s),
        _section(tables["links"], now_s),
        _section(tables["feeds"], now_s, _feed_choice(choice, pages), legend()),
        *(_section(tables[name], now_s) for name in ("services", "sources", "money")),
    ]
    names = [tag("a", table.caption, href=f"#{table.id}") for table in view.tables]
    header = tag(
        "header",
        tag("h1", "feedmesh"),
        verdict(view.well, view.words),
        tag("p", "not live", id="live", class_="quiet"),
        tag("nav", tag("ul", *(tag("li", name) for name in names)), aria_label="Sections"),
    )
    return document("feedmesh", header, tag("main", *sections, id="main"), live=True)


def document(title: str, *body: Markup, live: bool = False) -> str:
    """Return a whole document with the page's own style, and with its script where it is to be live."""
    head = [
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("link", rel="icon", href="/page.svg", type="image/svg+xml"),
        tag("link", rel="stylesheet", href="/page.css"),
    ]
    if live:
        head.append(tag("noscript", tag("meta", http_equiv="refresh", content=RELOAD_S)))
        head.append(tag("script", src="/page.js", defer=True))
    skip = tag("a", "Skip to content", href="#main", class_="skip")
    return "<!doctype html>\n" + tag("html", tag("head", *head), tag("body", skip, *body), lang="en")


def verdict(well: bool | None, words: str) -> Markup:
    """Return the line that says how the mesh is; a change of it is read out."""
    state = "unknown" if well is None else "ok" if well else "bad"
    mark = {"ok": "OK", "bad": "BROKEN", "unknown": "UNKNOWN"}[state]
    return tag(
        "p",
        tag("strong", mark, id="verdict-state"),
        " ",
        tag("span", words, id="verdict-words"),
        id="verdict",
        data_state=state,
        role="status",
        aria_live="polite",
    )


def _section(table: Table, now_s: float, *before: Markup) -> Markup:
    heading = tag("h2", table.caption, id=f"{table.id}-heading")
    notes = tag("ul", *(tag("li", note) for note in table.notes), class_="notes", id=f"{table.id}-notes")
    return tag(
        "section", heading, *before, drawn(table, now_s), notes, id=table.id, aria_labelledby=f"{table.id}-heading"
    )


def drawn(table: Table, now_s: float) -> Markup:
    """Return a table; it may be wider than the window, and is then scrolled, also by keys."""
    head = tag("thead", tag("tr", *(tag("th", column, scope="col") for column in table.columns)))
    body = tag("tbody", *(_row(table, row, now_s) for row in table.rows))
    caption = tag("caption", table.caption, class_="spoken")
    return tag(
        "div",
        tag("table", caption, head, body, data_table=table.id),
        class_="wide",
        tabindex=0,
        role="region",
        aria_label=f"{table.caption}, table",
    )


def _row(table: Table, row: Row, now_s: float) -> Markup:
    cells = [
        tag(
            "th" if index == 0 else "td",
            *_content(cell, now_s),
            scope="row" if index == 0 else None,
            data_column=column,
            data_tone=cell.tone.value or None,
        )
        for index, (column, cell) in enumerate(zip(table.columns, row.cells, strict=True))
    ]
    return tag("tr", *cells, data_key=row.key)


def _content(cell: Cell, now_s: float) -> Sequence[Markup]:
    if cell.since_ms is not None:
        text = tag("span", duration(now_s - cell.since_ms / 1000), data_since=cell.since_ms)
    elif cell.link:
        text = tag("a", cell.text, href=cell.link)
    else:
        text = joined(cell.text)
    if cell.lines:
        return (_plot(cell), tag("small", text))
    return (_bar(cell), tag("small", text)) if cell.parts else (text,)


def _plot(cell: Cell) -> Markup:
    lines = [tag("polyline", points=line, class_=name) for name, line in zip(_LINES, cell.lines, strict=True)]
    title = tag("title", f"answer and market: {cell.text}")
    box = f"0 0 {history.WIDTH} {history.HEIGHT}"
    return tag("svg", title, *lines, class_="plot", viewBox=box, preserveAspectRatio="none", role="img")


def _bar(cell: Cell) -> Markup:
    parts = [
        tag(
            "rect",
            tag("title", part.words),
            x=part.x,
            y=0,
            width=part.width,
            height=_BAR_HEIGHT,
            class_=f"hop-{part.hop}",
        )
        for part in cell.parts
    ]
    title = tag("title", ", ".join(part.words for part in cell.parts))
    box = f"0 0 {BAR_WIDTH} {_BAR_HEIGHT}"
    return tag("svg", title, *parts, class_="bar", viewBox=box, preserveAspectRatio="none", role="img")


def legend() -> Markup:
    """Return what the colours of plots and bars mean."""
    hops = [tag("li", tag("span", "", class_=f"key hop-{hop.value}", aria_hidden="true"), hop.value) for hop in HOPS]
    lines = [tag("li", tag("span", "", class_=f"key line-{name}", aria_hidden="true"), name) for name in _LINES]
    return tag("ul", *lines, *hops, class_="legend", aria_label="Colours of plots and bars")


def _feed_choice(choice: Choice, pages: int) -> Markup:
    field = tag("input", type="search", name="find", value=choice.find, id="find", maxlength=64)
    form = tag(
        "form",
        tag("label", "Feeds with ", for_="find"),
        field,
        " ",
        tag("button", "Find"),
        method="get",
        action="/#feeds",
    )
    if pages == 1:
        return form
    links = [
        tag(
            "li",
            tag(
                "a",
                str(number),
                href=choice_path(choice.find, number),
                aria_current="page" if number == choice.page else None,
            ),
        )
        for number in range(1, pages + 1)
    ]
    return joined(form, tag("nav", tag("ul", *links), aria_label="Pages of feeds", class_="pages"))


def choice_path(find: str, number: int) -> str:
    """Return the path of one page of the feeds."""
    return "/?" + urlencode({**({"find": find} if find else {}), "page": number}) + "#feeds"
