"""`feedmesh status`, `start`, `stop` and `restart`: the services of a running mesh."""

import time
from pathlib import Path
from typing import Literal

from rich.console import Console

from cli.json_output import print_json
from cli.service_states import service_json
from cli.service_table import service_table
from cli.sockets import socket_of
from feedmesh.supervisor.v1 import supervisor_service_pb2 as supervisor_pb
from feedmesh.supervisor.v1 import supervisor_service_pb2_grpc as supervisor_grpc
from meshkit.rpc.client import channel

Action = Literal["StartService", "StopService", "RestartService"]
# Stopping a service may take as long as its own stop timeout.
_CONTROL_TIMEOUT_S = 60.0


async def status(run_dir: Path, as_json: bool) -> None:
    """Show every service."""
    async with channel(socket_of(run_dir, "supervisor")) as connection:
        stub = supervisor_grpc.SupervisorServiceStub(connection)
        listed = await stub.ListServices(supervisor_pb.ListServicesRequest())
    if as_json:
        services = [
            {**service_json(service), "last_exit": service.last_exit, "message": service.message}
            for service in listed.services
        ]
        print_json({"supervisor_pid": listed.supervisor_pid, "services": services})
    else:
        Console().print(service_table(list(listed.services), time.time()))


async def control(run_dir: Path, action: Action, name: str, as_json: bool) -> None:
    """Start, stop or restart a service and show what became of it."""
    async with channel(socket_of(run_dir, "supervisor")) as connection:
        stub = supervisor_grpc.SupervisorServiceStub(connection)
        request = getattr(supervisor_pb, f"{action}Request")(name=name)
        response = await getattr(stub, action)(request, timeout=_CONTROL_TIMEOUT_S)
    if as_json:
        print_json(service_json(response.service))
    else:
        Console().print(service_table([response.service], time.time()))
