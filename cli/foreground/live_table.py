"""A run on a terminal: one screen, redrawn, with the verdict, what is not well, and the feeds that fit."""

import time
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cli.explain.doctor import Diagnosis
from cli.foreground.mesh_watcher import View
from cli.foreground.run_report import FeedRecord
from cli.service_table import service_table
from feedmesh.operator.v1 import operator_service_pb2 as operator_pb
from feedmesh.supervisor.v1 import supervisor_service_pb2 as supervisor_pb
from meshkit.listings.durations import duration
from meshkit.listings.services import COLUMNS, state_name

_NODE: Final = "chainlink-node-"
_WELL: Final = frozenset({"healthy", "completed"})
# The worst first: where not all have room, these have.
_WORST: Final = ("failed", "unhealthy", "backoff", "skipped", "stopped", "stopping", "starting", "pending")
_STYLES: Final = {
    "fresh": "green",
    "degraded": "yellow",
    "stale": "bold red",
    "chain lost": "bold red",
    "waiting": "dim",
}
_FEED_COLUMNS: Final = ("feed", "state", "answer", "round", "age", "observers", "by")
_OBSERVERS: Final = _FEED_COLUMNS.index("observers")
# Title, verdict, two empty lines, the line at the end, and the one where the cursor stands.
_FIXED_LINES: Final = 6


class LiveTable:
    """The screen, redrawn twice a second; use as a context manager."""

    def __init__(self, view: View, console: Console, title: str, page: str, diagnose: Callable[[], Diagnosis]) -> None:
        self._view = view
        self._title = title
        self._page = page
        self._diagnose = diagnose
        self._latest: dict[str, operator_pb.Round] = {}
        self._live = Live(get_renderable=self._draw, console=console, refresh_per_second=2, vertical_overflow="crop")

    def __enter__(self) -> "LiveTable":
        self._live.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._live.__exit__(None, None, None)

    def say(self, text: str) -> None:
        """Write a line above the screen."""
        self._live.console.print(text, markup=False, highlight=False)

    def service(self, service: supervisor_pb.Service) -> None:
        """Nothing to do: the next drawing shows it."""

    def round(self, accepted: operator_pb.Round, record: FeedRecord) -> None:
        """Keep the round for the next drawing."""
        self._latest[record.name] = accepted

    def _draw(self) -> Group:
        # On a thread of the display's own, which an error would end, and every later drawing with it.
        try:
            height = self._live.console.size.height
            services, feeds = list(self._view.services.values()), list(self._view.feeds.values())
            # What is not there before all has started is not missing.
            is_started = self._view.startup_s is not None
            judged = self._diagnose() if is_started else None
            return Group(
                _line(self._title, "bold"),
                verdict_line(judged),
                *body(services, feeds, self._latest, judged, time.time(), height - _FIXED_LINES),
                _line(f"{self._page}   Ctrl-C stops everything in order", "dim"),
            )
        except Exception as error:
            return Group(Text(f"the tables cannot be drawn now: {error!r}", style="red"))


def verdict_line(found: Diagnosis | None) -> Text:
    """Return the verdict: well, degraded where rounds bear a fault, or the first broken link; None before the start."""
    if found is None:
        return _line("starting", "dim")
    if _is_chain_lost(found):
        return _line(f"chain lost: {found.words}", "bold red")
    if not found.well:
        return _line(f"not well: {found.words}", "bold red") if found.links else _line(found.words, "dim")
    if found.remarks:
        more = f" (and {len(found.remarks) - 1} more)" if len(found.remarks) > 1 else ""
        return _line(f"degraded: {found.remarks[0]}{more}", "yellow")
    return _line(f"well: {found.words}", "green")


def feed_state(name: str, answered: bool, found: Diagnosis | None) -> str:
    """Return in a word how a feed is, by the verdict's words on it."""
    if found is not None and _is_chain_lost(found):
        return "chain lost"
    if found is not None and any(words.startswith(f"{name} ") for words in _broken(found, "age")):
        return "stale"
    if not answered:
        return "waiting"
    is_degraded = found is not None and any(remark.startswith(f"{name} ") for remark in found.remarks)
    return "degraded" if is_degraded else "fresh"


def _broken(found: Diagnosis, name: str) -> list[str]:
    """Return what is wrong with a link, in words; nothing if it holds."""
    links = (link for link in found.links if (link.get("name"), link.get("state")) == (name, "broken"))
    return [str(words) for link in links for words in link.get("words") or ()]


def _is_chain_lost(found: Diagnosis) -> bool:
    # While the operator is away nobody tells how the chain is.
    return any(words.startswith("the chain ") for words in _broken(found, "rpc"))


def body(
    services: Sequence[supervisor_pb.Service],
    feeds: Sequence[FeedRecord],
    latest: Mapping[str, operator_pb.Round],
    found: Diagnosis | None,
    now_s: float,
    lines: int,
) -> list[RenderableType]:
    """
    Return services and feeds in so many lines at most, and an empty line after each.

    Services that are well are folded into one line, feeds that are fresh into one where there is no room for them. A
    feed's rows have the half of the lines at least, if it needs them.
    """
    unwell = sorted((each for each in services if state_name(each.state) not in _WELL), key=_severity)
    for_feeds = min(len(feeds) + 1, max(lines // 2, 2))
    # The line of those that are folded, and the headings.
    room = max(lines - for_feeds - 2, 0)
    shown = unwell[:room]
    folded = [*(each for each in services if state_name(each.state) in _WELL), *unwell[room:]]
    parts: list[RenderableType] = [_line(_counts([state_name(each.state) for each in folded], "service"), "")]
    if shown:
        parts.append(_one_line_each(service_table(shown, now_s, is_message_cut=True), len(COLUMNS) - 1))
    left = lines - 1 - (len(shown) + 1 if shown else 0)
    return [*parts, Text(""), *_feeds(feeds, latest, found, now_s, left), Text("")]


def _feeds(
    feeds: Sequence[FeedRecord],
    latest: Mapping[str, operator_pb.Round],
    found: Diagnosis | None,
    now_s: float,
    lines: int,
) -> list[RenderableType]:
    states = {feed.name: feed_state(feed.name, feed.name in latest, found) for feed in feeds}
    if len(feeds) < lines:
        return [_one_line_each(feed_table(feeds, latest, states, now_s), _OBSERVERS)]
    # What is not as it should be first; the sort keeps the order of the others.
    ordered = sorted(feeds, key=lambda feed: states[feed.name] == "fresh")
    room = max(lines - 2, 0)
    rest = _counts([states[feed.name] for feed in ordered[room:]], "more feed")
    return [_one_line_each(feed_table(ordered[:room], latest, states, now_s), _OBSERVERS), _line(rest, "")]


def feed_table(
    feeds: Sequence[FeedRecord], latest: Mapping[str, operator_pb.Round], states: Mapping[str, str], now_s: float
) -> Table:
    """Return feeds as a table; `now_s` is Unix time, for the ages."""
    table = Table(*_FEED_COLUMNS, box=None, pad_edge=False)
    for feed in feeds:
        accepted, state = latest.get(feed.name), states[feed.name]
        told = Text(state, style=_STYLES[state])
        if accepted is None:
            table.add_row(feed.name, told, "", "", "", "", "")
            continue
        age = duration(now_s - accepted.block_time.ToMilliseconds() / 1000)
        observers, transmitter = numbers(accepted.observers), accepted.transmitter.removeprefix(_NODE)
        seen = Text(observers, no_wrap=True, overflow="ellipsis")
        table.add_row(feed.name, told, accepted.answer, str(accepted.round_id), age, seen, transmitter)
    return table


def numbers(nodes: Sequence[str]) -> str:
    """Return nodes by their numbers, neighbours as a range: 2-4 7; those of other names by these."""
    known = sorted(int(name.removeprefix(_NODE)) for name in nodes if name.removeprefix(_NODE).isdecimal())
    ranges = [[number for _, number in run] for _, run in groupby(enumerate(known), lambda pair: pair[1] - pair[0])]
    others = [name for name in nodes if not name.removeprefix(_NODE).isdecimal()]
    return " ".join([*(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in ranges), *others])


def _severity(service: supervisor_pb.Service) -> int:
    state = state_name(service.state)
    return _WORST.index(state) if state in _WORST else 0


def _counts(states: Sequence[str], what: str) -> str:
    counted = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    return f"{len(states)} {what}{'' if len(states) == 1 else 's'}{': ' if counted else ''}{counted}"


def _line(text: str, style: str) -> Text:
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")


def _one_line_each(table: Table, cut: int) -> Table:
    """Return a table whose rows are one line each: where it is too wide, one column is cut before all others."""
    for index, column in enumerate(table.columns):
        column.no_wrap, column.overflow = index != cut, "ellipsis"
    return table
