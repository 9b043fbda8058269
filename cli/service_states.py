"""A service as programs and people read it."""

from typing import Any

from feedmesh.supervisor.v1 import supervisor_service_pb2 as supervisor_pb


def service_json(service: supervisor_pb.Service) -> dict[str, Any]:
    """Return a service's entry of the final line; a node says which program it runs."""
    return {
        "name": service.name,
        "state": state_name(service.state),
        "pid": service.pid or None,
        "restarts": service.restarts,
        **({"runtime": service.runtime} if service.runtime else {}),
    }


def state_name(state: "supervisor_pb.ServiceState.ValueType") -> str:
    """Return a state as people read it, for example `healthy`."""
    return supervisor_pb.ServiceState.Name(state).removeprefix("SERVICE_STATE_").lower()
