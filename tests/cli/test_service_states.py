"""A service as programs read it."""

from cli.service_states import service_json
from feedmesh.supervisor.v1 import supervisor_service_pb2 as supervisor_pb


def test_service_entry() -> None:
    """A service is told by name, state, pid and restarts; a process that is gone has no pid."""
    service = supervisor_pb.Service(
        name="postgres-init", state=supervisor_pb.SERVICE_STATE_COMPLETED, pid=0, restarts=1
    )

    assert service_json(service) == {"name": "postgres-init", "state": "completed", "pid": None, "restarts": 1}


def test_a_node_says_which_program_it_runs() -> None:
    """Of a node there is one word more: whose program runs."""
    node = supervisor_pb.Service(name="chainlink-node-2", pid=7, runtime="chainlink")
    expected = {"name": "chainlink-node-2", "state": "unspecified", "pid": 7, "restarts": 0, "runtime": "chainlink"}
    assert expected == service_json(node)
