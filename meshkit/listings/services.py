"""The services of a mesh as people read them, in `feedmesh status` and on the page."""

from typing import Final

from feedmesh.supervisor.v1 import supervisor_service_pb2 as pb
from meshkit.listings.durations import duration

COLUMNS: Final = ("service", "state", "pid", "restarts", "uptime", "runtime", "")


def state_name(state: "pb.ServiceState.ValueType") -> str:
    """Return a state as people read it, for example `healthy`."""
    return pb.ServiceState.Name(state).removeprefix("SERVICE_STATE_").lower()


def row(service: pb.Service, now_s: float) -> tuple[str, ...]:
    """Return a text for each column; `now_s` is Unix time, for the uptime."""
    uptime = duration(now_s - service.start_time.ToMilliseconds() / 1000) if service.pid else ""
    return (
        service.name,
        state_name(service.state),
        str(service.pid or ""),
        str(service.restarts),
        uptime,
        service.runtime,
        service.message,
    )
