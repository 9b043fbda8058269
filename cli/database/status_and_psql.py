"""The commands that look into the nodes' databases."""

import os
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape
from rich.table import Table

from cli import terminal
from cli.errors import CliError
from cli.json_output import print_json
from cli.sockets import socket_of
from feedmesh.dbinit.v1 import database_service_pb2 as pb
from feedmesh.dbinit.v1 import database_service_pb2_grpc as rpc
from meshkit.rpc.client import channel

# With 31 nodes about a thousand logins are tried.
_CHECK_TIMEOUT_S = 60.0


async def status(run_dir: Path, as_json: bool) -> int:
    """Show the databases and what is wrong with them; 1 if something is."""
    async with channel(socket_of(run_dir, "dbinit")) as connection:
        found = await rpc.DatabaseServiceStub(connection).Check(pb.CheckRequest(), timeout=_CHECK_TIMEOUT_S)
    ok = found.isolated and not found.checksum_failures
    if as_json:
        print_json({"ok": ok, **_as_dict(found)})
    else:
        _show(found, terminal.console())
    return 0 if ok else 1


async def psql(run_dir: Path, node: int, arguments: Sequence[str]) -> NoReturn:
    """Become psql on a node's database. Raises CliError if there is no psql."""
    async with channel(socket_of(run_dir, "dbinit")) as connection:
        request = pb.GetConnectionRequest(node=node)
        found = await rpc.DatabaseServiceStub(connection).GetConnection(request, timeout=15)
    variables = {
        "PGHOST": found.host,
        "PGPORT": str(found.port),
        "PGDATABASE": found.database,
        "PGUSER": found.role,
        "PGPASSFILE": found.password_file,
        # Where our own nodes have their tables, and Chainlink's theirs.
        "PGOPTIONS": "-c search_path=feedmesh_node,public",
        "PGSSLMODE": "disable",
        "PGGSSENCMODE": "disable",
    }
    program = shutil.which("psql") or shutil.which("psql", path=found.program_directory)
    if program is None:
        words = " ".join(f"{name}={value}" for name, value in variables.items())
        raise CliError(
            f"psql is not installed; any client reaches the database with {words}",
            "Debian and Ubuntu: apt-get install postgresql-client; the npm package of PostgreSQL has no psql",
        )
    # What the caller's environment says of another server must not mix with this one.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")} | variables
    # Python ignores SIGPIPE, and what is ignored stays so across exec: `| head` would not end psql.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.execve(program, [program, *arguments], environment)  # noqa: S606  # so that terminal and signals are psql's alone


def _as_dict(found: pb.CheckResponse) -> dict[str, object]:
    return {
        "version": found.server_version,
        "isolated": found.isolated,
        "violations": list(found.violations),
        "checksum_failures": found.checksum_failures,
        "connections": found.connections,
        "max_connections": found.max_connections,
        "databases": [
            {
                "node": database.node,
                "name": database.name,
                "size_bytes": database.size_bytes,
                "connections": database.connections,
                "checksum_failures": database.checksum_failures,
                "can_login": database.can_login,
            }
            for database in found.databases
        ],
    }


def _show(found: pb.CheckResponse, console: Console) -> None:
    table = Table("node", "database", "size", "connections", "checksum failures", "", box=None, pad_edge=False)
    for database in found.databases:
        failures = f"[red]{database.checksum_failures}[/]" if database.checksum_failures else "0"
        note = "" if database.can_login else "kept, no login: beyond solution.totalNodes"
        size, connections = decimal(database.size_bytes), str(database.connections)
        table.add_row(str(database.node), database.name, size, connections, failures, note)
    console.print(table)
    console.print(
        f"PostgreSQL {found.server_version}, {len(found.databases)} databases, "
        f"{found.connections} of {found.max_connections} connections",
        highlight=False,
    )
    if found.checksum_failures:
        console.print(
            f"[red]{found.checksum_failures} damaged pages were read[/]: check disk and memory, then restore the data "
            "directory from a backup",
            highlight=False,
        )
    if found.isolated:
        console.print("isolated: every node reaches its own database and no other", highlight=False)
    for violation in found.violations:
        console.print(f"[red]not isolated[/]: {escape(violation)}", highlight=False)
