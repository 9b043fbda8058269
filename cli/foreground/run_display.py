"""Show a run: a live table on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cli.foreground.mesh_watcher import View
from cli.foreground.run_report import FeedRecord
from cli.service_table import service_table
from feedmesh.operator.v1 import operator_service_pb2 as operator_pb
from feedmesh.supervisor.v1 import supervisor_service_pb2 as supervisor_pb
from meshkit.listings.durations import duration
from meshkit.listings.services import state_name


class Lines:
    """One line for every change of a service and for every accepted round."""

    def __init__(self, write: Callable[[str], None], started_s: float) -> None:
        self._write = write
        self._started_s = started_s

    def say(self, text: str) -> None:
        """Write a line with the time since the start."""
        self._write(f"{time.monotonic() - self._started_s:7.1f}s  {text}")

    def service(self, service: supervisor_pb.Service) -> None:
        """Tell a service's new state."""
        pid = f" pid {service.pid}" if service.pid else ""
        message = f": {service.message}" if service.message else ""
        self.say(f"{service.name:<20} {state_name(service.state)}{pid}{message}")

    def round(self, accepted: operator_pb.Round, record: FeedRecord) -> None:
        """Tell an accepted round."""
        self.say(
            f"{accepted.feed:<20} round {accepted.round_id} answer {accepted.answer}"
            f" observers {','.join(_short(name) for name in accepted.observers)}"
            f" transmitter {_short(accepted.transmitter)} ({record.rounds} in this run)"
        )


def _short(node: str) -> str:
    return node.removeprefix("chainlink-")


def feed_table(records: list[FeedRecord], latest: dict[str, operator_pb.Round], now_s: float) -> Table:
    """Return the feeds as a table; `now_s` is Unix time, for the ages."""
    table = Table("feed", "answer", "round", "age", "observers", "transmitter", box=None, pad_edge=False)
    for record in records:
        accepted = latest.get(record.name)
        if accepted is None:
            table.add_row(record.name, Text("waiting for its first round", style="dim"), "", "", "", "")
            continue
        table.add_row(
            record.name,
            accepted.answer,
            str(accepted.round_id),
            duration(now_s - accepted.block_time.ToMilliseconds() / 1000),
            " ".join(_short(name) for name in accepted.observers),
            _short(accepted.transmitter),
        )
    return table


class LiveTable:
    """The tables, redrawn twice a second; use as a context manager."""

    def __init__(self, view: View, console: Console, title: str) -> None:
        self._view = view
        self._title = title
        self._latest: dict[str, operator_pb.Round] = {}
        self._live = Live(get_renderable=self._draw, console=console, refresh_per_second=2)

    def __enter__(self) -> "LiveTable":
        self._live.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._live.__exit__(None, None, None)

    def say(self, text: str) -> None:
        """Write a line above the tables."""
        self._live.console.print(text)

    def service(self, service: supervisor_pb.Service) -> None:
        """Nothing to do: the next drawing shows it."""

    def round(self, accepted: operator_pb.Round, record: FeedRecord) -> None:
        """Keep the round for the next drawing."""
        self._latest[record.name] = accepted

    def _draw(self) -> Group:
        # On a thread of the display's own, which an error would end, and every later drawing with it.
        try:
            return self._tables()
        except Exception as error:
            return Group(Text(f"the tables cannot be drawn now: {error!r}", style="red"))

    def _tables(self) -> Group:
        now_s = time.time()
        return Group(
            Text(self._title, style="bold"),
            service_table(list(self._view.services.values()), now_s),
            Text(""),
            feed_table(list(self._view.feeds.values()), self._latest, now_s),
            Text("Ctrl-C stops everything in order", style="dim"),
        )
