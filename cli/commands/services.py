"""`feedmesh status`, `start`, `stop`, `restart` and `down`: the services of a running mesh, and the verdict on it."""

import asyncio
import time
from pathlib import Path
from typing import Literal

from cli import terminal
from cli.errors import CliError
from cli.explain.doctor import Diagnosis, diagnose
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
_LOOK_S, _WATCH_S = 0.2, 1.0


async def status(run_dir: Path, as_json: bool, wait_s: float = 0.0, *, watch: bool = False) -> int:
    """
    Show every service and the verdict; return 0 if that is good, else 1.

    Args:
        run_dir: Where the mesh's sockets are.
        as_json: Write JSON for programs.
        wait_s: Wait so long for a good verdict before it is shown.
        watch: Show it again each second until interrupted.
    """
    deadline_s = time.monotonic() + wait_s
    found = diagnose(run_dir, _now_ms())
    for _ in range(round(wait_s / _LOOK_S)):
        if found.well or time.monotonic() >= deadline_s:
            break
        await asyncio.sleep(_LOOK_S)
        found = diagnose(run_dir, _now_ms())
    if not watch:
        await _show(run_dir, as_json, found)
        return 0 if found.well else 1
    while True:
        if not as_json:
            terminal.console().clear()
        found = diagnose(run_dir, _now_ms())
        await _show(run_dir, as_json, found)
        await asyncio.sleep(_WATCH_S)


async def down(run_dir: Path, timeout_s: float, as_json: bool) -> None:
    """
    Stop the whole mesh in order, and return when it is down.

    Raises:
        CliError: when it is not down in time; it goes on stopping.
    """
    socket = socket_of(run_dir, "supervisor")
    async with channel(socket) as connection:
        stub = supervisor_grpc.SupervisorServiceStub(connection)
        await stub.Shutdown(supervisor_pb.ShutdownRequest(reason="feedmesh down"))
    deadline_s = time.monotonic() + timeout_s
    while socket.exists():
        if time.monotonic() >= deadline_s:
            raise CliError(f"the mesh is not down after {timeout_s:.0f} s", "it goes on stopping: see its log")
        await asyncio.sleep(_LOOK_S)
    if as_json:
        print_json({"ok": True})
    else:
        print("the mesh is down")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


async def _show(run_dir: Path, as_json: bool, found: Diagnosis) -> None:
    async with channel(socket_of(run_dir, "supervisor")) as connection:
        stub = supervisor_grpc.SupervisorServiceStub(connection)
        listed = await stub.ListServices(supervisor_pb.ListServicesRequest())
    if as_json:
        services = [
            {**service_json(service), "last_exit": service.last_exit, "message": service.message}
            for service in listed.services
        ]
        verdict = {"ok": found.well, "words": found.words, "remarks": list(found.remarks)}
        print_json({"supervisor_pid": listed.supervisor_pid, "services": services, "verdict": verdict})
    else:
        shown = terminal.console()
        shown.print(service_table(list(listed.services), time.time()))
        shown.print(f"verdict: {found.words}", markup=False, highlight=False, soft_wrap=True)


async def control(run_dir: Path, action: Action, name: str, as_json: bool) -> None:
    """Start, stop or restart a service and show what became of it."""
    async with channel(socket_of(run_dir, "supervisor")) as connection:
        stub = supervisor_grpc.SupervisorServiceStub(connection)
        request = getattr(supervisor_pb, f"{action}Request")(name=name)
        response = await getattr(stub, action)(request, timeout=_CONTROL_TIMEOUT_S)
    if as_json:
        print_json(service_json(response.service))
    else:
        terminal.console().print(service_table([response.service], time.time()))
