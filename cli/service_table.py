"""Services as a table."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from feedmesh.supervisor.v1 import supervisor_service_pb2 as supervisor_pb
from meshkit.listings.services import COLUMNS, row

_COLOURS = {
    "healthy": "green",
    "completed": "green",
    "starting": "yellow",
    "pending": "dim",
    "backoff": "red",
    "unhealthy": "red",
    "failed": "bold red",
    "skipped": "red",
}


def service_table(services: Sequence[supervisor_pb.Service], now_s: float, *, is_message_cut: bool = False) -> Table:
    """Return the services as a table; `now_s` is Unix time, for the uptimes. A message is cut or takes more lines."""
    table = Table(*COLUMNS, box=None, pad_edge=False)
    for service in services:
        name, state, *others, message = row(service, now_s)
        told = Text(message, style="dim", no_wrap=is_message_cut, overflow="ellipsis" if is_message_cut else None)
        table.add_row(name, Text(state, style=_COLOURS.get(state, "")), *others, told)
    return table
