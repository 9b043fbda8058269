"""`feedmesh feeds`: the feeds that run, with their contracts and answers."""

import time
from pathlib import Path

from rich.table import Table

from cli import terminal
from cli.json_output import as_json_values, print_json
from cli.sockets import socket_of
from feedmesh.operator.v1 import operator_service_pb2 as operator_pb
from feedmesh.operator.v1 import operator_service_pb2_grpc as operator_grpc
from meshkit.listings.feeds import COLUMNS, row
from meshkit.rpc.client import channel


async def feeds(run_dir: Path, as_json: bool) -> None:
    """Show the running feeds."""
    async with channel(socket_of(run_dir, "operator")) as connection:
        listed = await operator_grpc.OperatorServiceStub(connection).ListFeeds(operator_pb.ListFeedsRequest())
    if as_json:
        print_json([as_json_values(feed) for feed in listed.feeds])
        return
    table = Table(*COLUMNS, box=None, pad_edge=False)
    for feed in listed.feeds:
        table.add_row(*row(feed, time.time()))
    console = terminal.console()
    console.print(table)
    for feed in listed.feeds:
        for difference in feed.config_differences:
            console.print(f"{feed.name}: {difference}", markup=False, highlight=False, soft_wrap=True)
