"""A service as programs read it."""

from cli.service_states import service_json
from feedmesh.supervisor.v1 import supervisor_service_pb2 as supervisor_pb


def test_service_entry() -> None:
    """A service is told by name, state, pid and restarts; a process that is gone has no pid."""
    service = supervisor_pb.Service(
        name="postgres-init", state=supervisor_pb.SERVICE_STATE_COMPLETED, pid=0, restarts=1
    )

    assert service_json(service) == {"name": "postgres-init", "state": "completed", "pid": None, "restarts": 1}
