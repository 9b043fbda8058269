"""A supervisor as a process of its own."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import psutil

from feedmesh.supervisor.v1 import supervisor_service_pb2 as pb
from feedmesh.supervisor.v1 import supervisor_service_pb2_grpc as rpc
from meshkit.rpc.client import channel

if TYPE_CHECKING:
    Stub = rpc.SupervisorServiceAsyncStub  # the generated module has it for type checkers only
else:
    Stub = object


class Supervisor:
    """A supervisor in a process of its own, over one of the scenarios."""

    def __init__(self, root: Path, scenario: str, within: Sequence[str] = ()) -> None:
        self.run_dir, self.data_dir = root / "run", root / "data"
        fakes = [sys.executable, "-m", "tests.supervisor.fakes", scenario, str(self.run_dir), str(self.data_dir)]
        self.command = [*within, *fakes]
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    @property
    def tree(self) -> list[int]:
        """Return the pids of all processes below the one we started: the guard's, the supervisor's, the services'."""
        return [process.pid for process in psutil.Process(self.process.pid).children(recursive=True)]

    @property
    def pid(self) -> int:
        """Return the pid of the supervisor itself, below its guards, which its lock names."""
        return int((self.run_dir / "supervisor.lock").read_text().splitlines()[0])

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[Stub]:
        """Give a client once every service is up."""
        async with channel(self.run_dir / "supervisor.sock") as connection:
            stub = rpc.SupervisorServiceStub(connection)
            async with asyncio.timeout(15):
                await stub.WaitReady(pb.WaitReadyRequest(), wait_for_ready=True)
            yield stub

    async def pids(self) -> list[int]:
        """Return the pids of all services, once they are up, and those of their children."""
        async with self.client() as stub:
            listed = await stub.ListServices(pb.ListServicesRequest())
        pids = [service.pid for service in listed.services if service.pid]
        return pids + [child.pid for pid in pids for child in psutil.Process(pid).children(recursive=True)]

    def end(self) -> tuple[int, str]:
        """Wait for its end; returns exit code and output."""
        output, _ = self.process.communicate(timeout=20)
        return self.process.returncode, output


class Start(Protocol):
    """Start a supervisor over a scenario, perhaps within a command that puts it somewhere else."""

    def __call__(self, scenario: str, within: Sequence[str] = ()) -> Supervisor:
        """Return it; the fixture ends it."""
        ...
