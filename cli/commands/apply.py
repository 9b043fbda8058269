"""`feedmesh apply`: change a running mesh to a configuration file."""

import os
from pathlib import Path

import orjson
from rich.console import Console
from rich.table import Table

from cli.errors import CliError
from feedmesh.supervisor.v1 import supervisor_service_pb2 as pb
from feedmesh.supervisor.v1 import supervisor_service_pb2_grpc as rpc
from meshkit.client import channel
from meshkit.configuration.load import load
from meshkit.paths import RunDir

# The supervisor makes its plan in a process of its own, which takes seconds on a busy machine.
_APPLY_TIMEOUT_S = 60.0


async def apply(config: Path, run_dir: Path | None, dry_run: bool, as_json: bool) -> None:
    """Have the running mesh do what the file says, and show the difference."""
    directory = run_dir or load(config.absolute()).solution.mesh.run_dir
    socket = RunDir(directory.absolute()).socket("supervisor")
    if not socket.exists():
        raise CliError(f"no mesh runs here: {socket} does not exist", "start one with `feedmesh up`, or give --run-dir")
    async with channel(socket) as connection:
        stub = rpc.SupervisorServiceStub(connection)
        request = pb.ApplyConfigurationRequest(path=os.fspath(config.absolute()), dry_run=dry_run)
        answer = await stub.ApplyConfiguration(request, timeout=_APPLY_TIMEOUT_S)
    changes = [(change.name, _verb(change.kind), list(change.fields)) for change in answer.changes]
    if as_json:
        rows = [{"name": name, "change": verb, "fields": fields} for name, verb, fields in changes]
        print(orjson.dumps({"ok": True, "dry_run": dry_run, "changes": rows}).decode())
    elif not changes:
        print("nothing differs from what runs")
    else:
        table = Table("service", "change", "differs in", box=None, pad_edge=False)
        for name, verb, fields in changes:
            table.add_row(name, f"would be {verb}" if dry_run else verb, ", ".join(fields))
        Console().print(table)


def _verb(kind: pb.ChangeKind.ValueType) -> str:
    return pb.ChangeKind.Name(kind).removeprefix("CHANGE_KIND_").lower()
