"""`feedmesh apply`: change a running mesh to a configuration file."""

import os
from pathlib import Path

import orjson
from rich.console import Console
from rich.table import Table

from cli.errors import CliError
from feedmesh.supervisor.v1 import supervisor_service_pb2 as pb
from feedmesh.supervisor.v1 import supervisor_service_pb2_grpc as rpc
from meshkit.configuration import start_check
from meshkit.configuration.signing.signature import PUBLIC_KEY_VARIABLE
from meshkit.paths import RunDir
from meshkit.rpc.client import channel

# The supervisor makes its plan in a process of its own, which takes seconds on a busy machine.
_APPLY_TIMEOUT_S = 60.0


async def apply(config: Path, run_dir: Path | None, dry_run: bool, as_json: bool) -> None:
    """Have the running mesh do what the file says, and show the difference."""
    if run_dir is None or PUBLIC_KEY_VARIABLE in os.environ:
        # By the key of this terminal too: the supervisor may have been started without one.
        solution = start_check.valid(config.absolute(), os.environ).solution
    directory = run_dir or solution.mesh.run_dir
    socket = RunDir(directory.absolute()).socket("supervisor")
    if not socket.exists():
        raise CliError(f"no mesh runs here: {socket} does not exist", "start one with `feedmesh up`, or give --run-dir")
    async with channel(socket) as connection:
        stub = rpc.SupervisorServiceStub(connection)
        request = pb.ApplyConfigurationRequest(path=os.fspath(config.absolute()), dry_run=dry_run)
        answer = await stub.ApplyConfiguration(request, timeout=_APPLY_TIMEOUT_S)
    if as_json:
        print(orjson.dumps({"ok": True, "dry_run": dry_run, **_as_json(answer)}).decode())
    elif not answer.changes and not answer.keys:
        print("nothing differs from what runs")
    else:
        _show(answer, dry_run)


def _as_json(answer: pb.ApplyConfigurationResponse) -> dict[str, object]:
    rows = [
        {"name": each.name, "change": _verb(each.kind), "fields": list(each.fields), "keys": list(each.keys)}
        for each in answer.changes
    ]
    return {"changes": rows, "keys": list(answer.keys), "consequences": list(answer.consequences)}


def _show(answer: pb.ApplyConfigurationResponse, dry_run: bool) -> None:
    console = Console()
    table = Table("service", "change", "differs in", box=None, pad_edge=False)
    for change in answer.changes:
        verb = _verb(change.kind)
        # The keys say more than that it is the configuration.
        reasons = [*change.keys, *(field for field in change.fields if not change.keys or field != "configuration")]
        table.add_row(change.name, f"would be {verb}" if dry_run else verb, "\n".join(reasons))
    if answer.changes:
        console.print(table)
        console.print()
    console.print("keys that differ:", *(f"  {key}" for key in answer.keys), sep="\n", markup=False, highlight=False)
    follows = "what would follow:" if dry_run else "what follows:"
    console.print(follows, *(f"  {line}" for line in answer.consequences), sep="\n", markup=False, highlight=False)


def _verb(kind: pb.ChangeKind.ValueType) -> str:
    return pb.ChangeKind.Name(kind).removeprefix("CHANGE_KIND_").lower()
