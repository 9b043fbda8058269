"""The service and its commands, as the supervisor starts them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from feedmesh.dbinit.v1 import database_service_pb2 as pb
from feedmesh.dbinit.v1 import database_service_pb2_grpc as rpc
from meshkit.rpc.client import channel, error_info
from tests.dbinit.server import POSTGRES, STOPS_WITHIN_S
from tests.dbinit.test_config import VECTOR
from tests.ports import free_port

COMMAND = [sys.executable, "-m", "services.dbinit"]


class Mesh:
    """A directory with a configuration, and the commands that use it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.socket = directory / "run/dbinit.sock"
        self.variables = {
            **os.environ,
            "FEEDMESH_CONFIG": str(directory / "configuration.json"),
            "FEEDMESH_RUN_DIR": str(directory / "run"),
        }

    def configure(self, **mesh: Any) -> None:
        """Write the configuration file."""
        solution = VECTOR["solution"] | {
            "pgPort": free_port(),
            "mesh": {"dataDir": str(self.directory / "data")} | mesh,
        }
        (self.directory / "configuration.json").write_text(json.dumps({"solution": solution}))

    def start(self, command: list[str]) -> subprocess.Popen[bytes]:
        """Start a long-running command."""
        return subprocess.Popen(command, env=self.variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    @retry(retry=retry_if_exception_type(AssertionError), wait=wait_fixed(0.1), stop=stop_after_delay(20), reraise=True)
    def succeed(self, verb: str) -> str:
        """Run a oneshot until it succeeds and return its line."""
        code, line = self.once(verb)
        assert 0 == code, line
        return line

    def once(self, verb: str) -> tuple[int, str]:
        """Run a oneshot and return its exit code and its line."""
        ran = subprocess.run([*COMMAND, verb], env=self.variables, capture_output=True, text=True)
        return ran.returncode, ran.stdout + ran.stderr


@pytest.fixture(name="mesh")
def _mesh(directory: Path) -> Mesh:
    """Give a mesh with nothing started."""
    return Mesh(directory)


@pytest.fixture(name="service")
def _service(mesh: Mesh) -> Iterator[subprocess.Popen[bytes]]:
    """Give the running service of a default configuration."""
    mesh.configure()
    process = mesh.start(COMMAND)
    yield process
    process.kill()
    process.wait()


async def test_from_nothing_to_isolated_nodes(mesh: Mesh, service: subprocess.Popen[bytes]) -> None:
    """Bootstrap, server and provision lead to five isolated databases, and all of it stops in order."""
    created = mesh.succeed("bootstrap")
    found = mesh.succeed("bootstrap")
    server = mesh.start(POSTGRES)
    try:
        provisioned = mesh.succeed("provision")
        async with channel(mesh.socket) as connection:
            stub = rpc.DatabaseServiceStub(connection)
            checked = await stub.Check(pb.CheckRequest(), timeout=30)
            listed = await stub.ListDatabases(pb.ListDatabasesRequest(), timeout=30)
    finally:
        server.send_signal(signal.SIGINT)
        code = server.wait(STOPS_WITHIN_S)
    service.send_signal(signal.SIGTERM)

    assert f"created {mesh.directory}/data/postgresql/data, PostgreSQL 17." in created
    assert f"found {mesh.directory}/data/postgresql/data, PostgreSQL 17." in found
    assert "5 databases, 5 of them new\n" == provisioned
    assert (True, []) == (checked.isolated, list(checked.violations))
    assert [1, 2, 3, 4, 5] == [database.node for database in listed.databases]
    assert (0, 0) == (code, service.wait(STOPS_WITHIN_S))
    assert not mesh.socket.exists()


@pytest.mark.usefixtures("service")
async def test_provision_without_a_server(mesh: Mesh) -> None:
    """Provision before the server runs is UNAVAILABLE with a reason a program can read."""
    async with channel(mesh.socket) as connection:
        await connection.channel_ready()
        mesh.directory.joinpath("data/postgresql").mkdir(parents=True)
        mesh.directory.joinpath("data/postgresql/superuser-password").write_text("secret")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await rpc.DatabaseServiceStub(connection).Provision(pb.ProvisionRequest(), timeout=30)

    info = error_info(caught.value)
    assert grpc.StatusCode.UNAVAILABLE == caught.value.code()
    assert info is not None
    assert "POSTGRES_UNAVAILABLE" == info.reason


def test_missing_programs_end_bootstrap(mesh: Mesh) -> None:
    """Bootstrap with a wrong binDir exits 1 with one line that names the directory and the way out."""
    mesh.configure(postgres={"binDir": str(mesh.directory / "nowhere")})
    process = mesh.start(COMMAND)
    try:

        @retry(retry=retry_if_exception_type(AssertionError), wait=wait_fixed(0.1), stop=stop_after_delay(20))
        def answered() -> tuple[int, str]:
            code, line = mesh.once("bootstrap")
            assert "UNAVAILABLE" not in line
            return code, line

        code, line = answered()
    finally:
        process.kill()
        process.wait()

    assert 1 == code
    assert line.startswith("bootstrap: FAILED_PRECONDITION: no PostgreSQL 17: ")
    assert f"{mesh.directory}/nowhere has no postgres" in line
    assert "install PostgreSQL 17" in line


def test_oneshot_without_the_service(mesh: Mesh) -> None:
    """A oneshot without the service exits 1 and says that it cannot be reached."""
    mesh.configure()
    code, line = mesh.once("provision")

    assert 1 == code
    assert line.startswith("provision: UNAVAILABLE: ")
