"""`feedmesh feeds verify`: whether contracts, jobs and keys are as configured, feed by feed."""

from collections.abc import Sequence
from pathlib import Path

from cli import terminal
from cli.json_output import as_json_values, print_json
from cli.sockets import socket_of
from feedmesh.operator.v1 import operator_service_pb2 as pb
from feedmesh.operator.v1 import operator_service_pb2_grpc as pb_grpc
from meshkit.rpc.client import channel

# Every node and every contract is asked anew.
_TIMEOUT_S = 300.0


async def verify(run_dir: Path, names: Sequence[str], as_json: bool) -> int:
    """Show everything that differs; 1 if something does."""
    async with channel(socket_of(run_dir, "operator")) as connection:
        request = pb.VerifyFeedsRequest(feeds=names)
        found = await pb_grpc.OperatorServiceStub(connection).VerifyFeeds(request, timeout=_TIMEOUT_S)
    differ = bool(found.problems) or any(feed.differences for feed in found.feeds)
    if as_json:
        print_json({"ok": not differ, **as_json_values(found)})
    else:
        for line in lines(found):
            terminal.console().print(line, markup=False, highlight=False, soft_wrap=True)
    return int(differ)


def lines(found: pb.VerifyFeedsResponse) -> list[str]:
    """Return each difference as a line, and at the end how many feeds are as configured."""
    told = [f"{feed.name}: {each}" for feed in found.feeds for each in feed.differences]
    right = sum(not feed.differences for feed in found.feeds)
    return [*told, *found.problems, f"{right} of {len(found.feeds)} feeds are as configured"]
