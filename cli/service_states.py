"""A service as programs read it."""

from typing import Any

from feedmesh.supervisor.v1 import supervisor_service_pb2 as supervisor_pb
from meshkit.listings.services import state_name


def service_json(service: supervisor_pb.Service) -> dict[str, Any]:
    """Return a service's entry of the final line; a node says which program it runs."""
    return {
        "name": service.name,
        "state": state_name(service.state),
        "pid": service.pid or None,
        "restarts": service.restarts,
        **({"runtime": service.runtime} if service.runtime else {}),
    }
