"""Peers of the metrics service that speak their real protocols."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, Popen
from sys import executable
from typing import Any

from feedmesh.supervisor.v1 import supervisor_service_pb2 as pb
from feedmesh.supervisor.v1.supervisor_service_pb2_grpc import (
    SupervisorServiceServicer,
    add_SupervisorServiceServicer_to_server,
)
from meshkit.rpc.server import MeshServer

# A process that tells its own pid and those of its children, uses CPU when asked to, and ends with its input.
CHILD = """
import subprocess, sys, time
children = [subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
            for _ in range(int(sys.argv[1]))]
ballast = bytearray(int(sys.argv[2]))
ballast[::4096] = b"x" * len(ballast[::4096])
print(*[child.pid for child in children], flush=True)
for line in sys.stdin:
    until = time.process_time() + float(line)
    while time.process_time() < until:
        pass
    print("done", flush=True)
for child in children:
    child.stdin.close()
    child.wait()
"""


@dataclass
class Child:
    """Hold a running child process and the pids of its own children."""

    process: Popen[str]
    children: list[int]

    @property
    def pid(self) -> int:
        """Return the child's pid."""
        return self.process.pid

    def burn(self, cpu_s: float) -> None:
        """Make the child use that much CPU time, and wait until it has."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{cpu_s}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"


@contextmanager
def child(children: int = 0, ballast_bytes: int = 0) -> Iterator[Child]:
    """Run a child process with some children of its own and some memory in use."""
    command = [executable, "-c", CHILD, str(children), str(ballast_bytes)]
    with Popen(command, stdin=PIPE, stdout=PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Child(process, [int(word) for word in process.stdout.readline().split()])
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(timeout=10)


class _ListServices(SupervisorServiceServicer):
    """Answer ListServices from a list that tests change; the other verbs are not used here."""

    def __init__(self) -> None:
        self.response = pb.ListServicesResponse()

    async def ListServices(self, request: pb.ListServicesRequest, context: Any) -> pb.ListServicesResponse:
        return self.response


class FakeSupervisor:
    """Serve SupervisorService on a Unix socket; it can be stopped and started again."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self._servicer = _ListServices()  # type: ignore[abstract]  # only the stubs call it abstract
        self._server: MeshServer | None = None

    def says(self, supervisor_pid: int, *services: pb.Service) -> None:
        """Set the answer."""
        self._servicer.response = pb.ListServicesResponse(services=services, supervisor_pid=supervisor_pid)

    async def start(self) -> None:
        """Begin to answer."""
        self._server = MeshServer("supervisor", self.socket, drain_s=0)
        name = pb.DESCRIPTOR.services_by_name["SupervisorService"].full_name
        self._server.add(add_SupervisorServiceServicer_to_server, self._servicer, name)
        await self._server.start()

    async def stop(self) -> None:
        """Stop answering."""
        if self._server is not None:
            await self._server.stop()
            self._server = None
