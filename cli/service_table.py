"""Services as a table, and times as people read them."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from cli.service_states import state_name
from feedmesh.supervisor.v1 import supervisor_service_pb2 as supervisor_pb

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


def service_table(services: Sequence[supervisor_pb.Service], now_s: float) -> Table:
    """Return the services as a table; `now_s` is Unix time, for the uptimes."""
    table = Table("service", "state", "pid", "restarts", "uptime", "runtime", "", box=None, pad_edge=False)
    for service in services:
        state = state_name(service.state)
        uptime = duration(now_s - service.start_time.ToMilliseconds() / 1000) if service.pid else ""
        table.add_row(
            service.name,
            Text(state, style=_COLOURS.get(state, "")),
            str(service.pid or ""),
            str(service.restarts),
            uptime,
            service.runtime,
            Text(service.message, style="dim"),
        )
    return table


def duration(seconds: float) -> str:
    """Return seconds as people read them: 7s, 3m 5s, 2h 10m."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60}s"
    return f"{whole // 3600}h {whole % 3600 // 60}m"
