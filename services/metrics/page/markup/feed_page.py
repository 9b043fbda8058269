"""A feed's own page: why a round's answer is what it is, as `feedmesh explain` says it, and the rounds before."""

from collections.abc import Sequence

from meshkit.explain.round_story import RoundStory, moments_ms
from meshkit.explain.sentences import Explanation, Hop, explain, time_text
from services.metrics.page.content.bars import bar
from services.metrics.page.content.history import Plot
from services.metrics.page.content.tables import feed_path
from services.metrics.page.content.view import Cell, Row, Table, Tone
from services.metrics.page.markup.document import document, drawn, legend
from services.metrics.page.markup.elements import Markup, joined, tag


def feed_page(feed: str, round_text: str, told: RoundStory | str, recent: Sequence[RoundStory], plot: Plot) -> str:
    """
    Return the page of one feed.

    Args:
        feed: Its name, which nobody has checked.
        round_text: Which round was asked for, as it came; empty for the last.
        told: The round, or why there is none to tell of.
        recent: The last rounds, the newest first.
        plot: Of answer and market, and what it shows in words.
    """
    parts = [tag("p", told, id="trouble", role="alert")] if isinstance(told, str) else list(_story(told))
    lines, words = plot
    plotted = Cell(words, lines=lines)
    plots = Table("plot", "Answer and market", ("feed", "answer and market"), (Row(feed, (Cell(feed), plotted)),))
    main = tag(
        "main",
        _choice(feed, round_text),
        *parts,
        tag("h2", "Last rounds"),
        legend(),
        drawn(_recent(feed, recent), 0),
        tag("h2", "Answer and market"),
        drawn(plots, 0),
        id="main",
    )
    header = tag("header", tag("h1", feed), tag("nav", tag("a", "All of the mesh", href="/"), aria_label="Back"))
    return document(f"{feed} – feedmesh", header, main)


def _choice(feed: str, round_text: str) -> Markup:
    field = tag("input", name="round", id="round", value=round_text, maxlength=40, aria_describedby="round-help")
    return tag(
        "form",
        tag("label", "Round ", for_="round"),
        field,
        " ",
        tag("button", "Explain"),
        " ",
        tag("small", "the contract's number, EPOCH/ROUND, 5m ago, or an ISO time; empty: the last", id="round-help"),
        method="get",
        action=feed_path(feed),
    )


def _story(story: RoundStory) -> Sequence[Markup]:
    said = explain(story)
    way = bar(moments_ms(story))
    rows = tuple(_hop(hop, story) for hop in said.hops)
    hops = Table("hops", "The way of the price", ("hop", "after", "what happened"), rows)
    faults = tuple(
        Row(str(index), (Cell(fault.kind.value, Tone.WARN), Cell(fault.words)))
        for index, fault in enumerate(said.faults)
    )
    found = Table("faults", "Faults", ("fault", "what happened"), faults)
    way_table = Table("way", "How long each hop took", ("round", "way"), (Row("way", (Cell(_place(story)), way)),))
    return (
        tag("h2", said.title, id="explain-title"),
        tag("p", said.words + "." if said.words else "", id="explain-words"),
        _answer(said),
        drawn(hops, 0),
        drawn(way_table, 0),
        *((drawn(found, 0),) if faults else ()),
    )


def _answer(said: Explanation) -> Markup:
    if not said.answer:
        return joined()
    return tag("p", "answer ", tag("strong", said.answer), id="explain-answer")


def _hop(hop: Hop, story: RoundStory) -> Row:
    after = "" if hop.at_ms is None else f"{(hop.at_ms - story.began_ms) / 1000:+.2f} s"
    return Row(hop.name, (Cell(hop.name), Cell(after), Cell(hop.words)))


def _recent(feed: str, stories: Sequence[RoundStory]) -> Table:
    rows = []
    for story in stories:
        said, place = explain(story), _place(story)
        answer = Cell(said.answer or "none", Tone.PLAIN if said.answer else Tone.QUIET)
        number = Cell(str(story.contract_round or ""))
        rows.append(
            Row(
                f"{story.config_digest}/{place}",
                (
                    Cell(place, link=feed_path(feed, place)),
                    number,
                    Cell(time_text(story.began_ms)),
                    answer,
                    bar(moments_ms(story)),
                ),
            )
        )
    columns = ("round", "of the contract", "began", "answer", "way")
    return Table("rounds", "Last rounds", columns, tuple(rows))


def _place(story: RoundStory) -> str:
    return f"{story.epoch}/{story.round}"
