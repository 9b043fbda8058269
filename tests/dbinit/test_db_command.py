"""`feedmesh db`, against a real server."""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from feedmesh.dbinit.v1 import database_service_pb2_grpc as rpc
from meshkit.rpc.server import MeshServer
from services.dbinit.databases.connection import forget, reach
from services.dbinit.databases.session import superuser
from services.dbinit.service import NAME, DatabaseService
from tests.dbinit.server import PG_PASSWORD, Server

Ran = tuple[int, str, str]
Run = Callable[..., Awaitable[Ran]]


@pytest.fixture(name="feedmesh")
async def _feedmesh(server: Server) -> AsyncIterator[Run]:
    """Give a way to run `feedmesh db …` in a mesh whose database service answers."""
    settings = server.settings

    async def run(*arguments: str, path: str = os.environ["PATH"]) -> Ran:
        command = [sys.executable, "-m", "cli", "db", *arguments]
        variables = {"FEEDMESH_RUN_DIR": str(settings.run_dir.path), "PATH": path, "COLUMNS": "150"}
        process = await asyncio.create_subprocess_exec(
            *command,
            env={**os.environ, **variables, "PGHOST": "elsewhere.invalid", "PGPASSWORD": "wrong"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
        assert process.returncode is not None
        return process.returncode, output.decode(), errors.decode()

    mesh_server = MeshServer("dbinit", settings.socket)
    mesh_server.add(rpc.add_DatabaseServiceServicer_to_server, DatabaseService(settings), NAME)
    async with mesh_server:
        yield run


@pytest.fixture(name="psql_path")
def _psql_path(directory: Path) -> str:
    """Give a PATH whose psql says how it was called."""
    program = directory / "psql"
    program.write_text('#!/bin/sh\necho "$*"\n/usr/bin/env\n/bin/cat "$PGPASSFILE"\nexit 3\n')
    program.chmod(0o755)
    return str(directory)


async def test_status_shows_every_database(feedmesh: Run) -> None:
    """The table has a line for each node, and below it version, connections and the isolation."""
    code, output, _ = await feedmesh("status")

    assert 0 == code
    assert [str(node) for node in range(1, 6)] == [line.split()[0] for line in output.splitlines()[1:6]]
    assert "PostgreSQL 17." in output
    assert "of 100 connections" in output
    assert "isolated: every node reaches its own database and no other" in output


async def test_status_for_programs(feedmesh: Run) -> None:
    """With --json sizes and counts are numbers."""
    code, output, _ = await feedmesh("status", "--json")
    found = json.loads(output)

    assert (0, True, True, [], 0, 100) == (
        code,
        found["ok"],
        found["isolated"],
        found["violations"],
        found["checksum_failures"],
        found["max_connections"],
    )
    assert all(database["size_bytes"] > 1_000_000 and database["can_login"] for database in found["databases"])


async def test_status_fails_where_a_wall_has_a_hole(feedmesh: Run, server: Server) -> None:
    """A privilege that opens a database to another node is named, and the exit code is 1."""
    async with superuser(server.settings) as connection:
        await connection.execute("GRANT CONNECT ON DATABASE chainlink_node_2 TO chainlink_node_3")
        try:
            code, output, _ = await feedmesh("status")
        finally:
            await connection.execute("REVOKE CONNECT ON DATABASE chainlink_node_2 FROM chainlink_node_3")

    assert 1 == code
    assert "not isolated: role chainlink_node_3 has the privilege to connect to database chainlink_node_2" in output


async def test_psql_is_called_with_the_password_in_a_file(feedmesh: Run, server: Server, psql_path: str) -> None:
    """Everything is in its environment, nothing of the caller's PG variables is, and its exit code is ours."""
    settings = server.settings
    code, output, _ = await feedmesh("psql", "2", "--", "-c", "SELECT 1", path=psql_path)
    arguments, *lines = output.splitlines()
    variables = dict(line.split("=", 1) for line in lines if line.startswith("PG"))
    password_file = Path(variables["PGPASSFILE"])

    assert (3, "-c SELECT 1") == (code, arguments)
    assert ("127.0.0.1", str(settings.port), "chainlink_node_2", "chainlink_node_2") == tuple(
        variables[name] for name in ("PGHOST", "PGPORT", "PGDATABASE", "PGUSER")
    )
    assert "PGPASSWORD" not in variables
    assert f"127.0.0.1:{settings.port}:chainlink_node_2:chainlink_node_2:{settings.password(2)}" == lines[-1]
    assert 0o600 == password_file.stat().st_mode & 0o777
    assert settings.run_dir.path == password_file.parent


async def test_a_real_psql_gets_in(feedmesh: Run) -> None:
    """Where psql is installed, it answers a query as the node."""
    if shutil.which("psql") is None:
        pytest.skip("psql is not installed here")
    code, output, errors = await feedmesh("psql", "2", "--", "-X", "-A", "-t", "-c", "SELECT current_user, 6 * 7")

    assert (0, "chainlink_node_2|42\n") == (code, output), errors


async def test_without_psql_the_error_says_how_to_connect(feedmesh: Run, server: Server, directory: Path) -> None:
    """Without psql there is one line with the way out and the parameters, and no password in it."""
    code, output, errors = await feedmesh("psql", "2", path=str(directory))

    assert (1, "", 1) == (code, output, len(errors.splitlines()))
    assert f"PGPORT={server.settings.port} PGDATABASE=chainlink_node_2 PGUSER=chainlink_node_2 PGPASSFILE=" in errors
    assert "postgresql-client" in errors
    assert server.settings.password(2) not in errors
    assert PG_PASSWORD not in errors


async def test_unknown_node(feedmesh: Run, psql_path: str) -> None:
    """A node that the mesh does not have is named."""
    code, _, errors = await feedmesh("psql", "6", path=psql_path)

    assert (1, 1) == (code, len(errors.splitlines()))
    assert "node '6'" in errors


def test_password_files_are_removed(server: Server) -> None:
    """Every file with a password that was left for a client is removed when the service ends, and nothing else."""
    settings = server.settings
    left = reach(settings, 1).password_file
    other = settings.run_dir.path / "other.pgpass"
    other.write_text("")
    forget(settings.run_dir)

    assert (False, True) == (left.exists(), other.exists())
