"""`feedmesh feeds deploy` and `configure`: contracts as configured, now; with --dry-run only what would be sent."""

from collections.abc import Sequence
from pathlib import Path

from cli import terminal
from cli.json_output import as_json_values, print_json
from cli.sockets import socket_of
from feedmesh.operator.v1 import operator_service_pb2 as pb
from feedmesh.operator.v1 import operator_service_pb2_grpc as pb_grpc
from meshkit.rpc.client import channel

# Hundreds of feeds are configured in batches, each as long as blocks take.
_TIMEOUT_S = 1800.0
_SHOWN_DIGITS = 10


async def change(
    run_dir: Path, action: "pb.FeedChange.ValueType", names: Sequence[str], *, dry_run: bool, as_json: bool
) -> int:
    """Have contracts deployed or configured and show what came of it; 1 if something could not be done."""
    async with channel(socket_of(run_dir, "operator")) as connection:
        request = pb.ChangeFeedsRequest(change=action, feeds=names, dry_run=dry_run)
        found = await pb_grpc.OperatorServiceStub(connection).ChangeFeeds(request, timeout=_TIMEOUT_S)
    if as_json:
        print_json({"ok": not found.errors, **as_json_values(found)})
    else:
        for line in lines(found, dry_run=dry_run):
            terminal.console().print(line, markup=False, highlight=False, soft_wrap=True)
    return int(bool(found.errors))


def lines(found: pb.ChangeFeedsResponse, *, dry_run: bool) -> list[str]:
    """Return what was done, or what would be sent, a line each."""
    told = [*found.changes, *map(_planned, found.planned), *(f"error: {error}" for error in found.errors)]
    nothing = "nothing would be sent" if dry_run else "nothing was to be done"
    return told or [f"{nothing}: every contract is as configured"]


def _planned(call: pb.PlannedTransaction) -> str:
    length = (len(call.data) - 2) // 2
    who = "the admin" if call.by_admin else "the operator"
    return (
        f"would be sent: {call.purpose}, by {who} to {call.to or 'a new contract'}, {length} bytes "
        f"({call.data[:_SHOWN_DIGITS]}…)"
    )
