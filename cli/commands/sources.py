"""`feedmesh sources`: every price source with its state."""

import time
from pathlib import Path

from rich.table import Table

from cli import terminal
from cli.json_output import as_json_values, print_json
from cli.sockets import socket_of
from feedmesh.aggregator.v1 import quote_service_pb2 as pb
from feedmesh.aggregator.v1 import quote_service_pb2_grpc as pb_grpc
from meshkit.listings.sources import COLUMNS, clock_words, row
from meshkit.rpc.client import channel


async def sources(run_dir: Path, as_json: bool) -> int:
    """Show all sources; 1 if not one that is on can be asked."""
    async with channel(socket_of(run_dir, "aggregator")) as connection:
        listed = await pb_grpc.QuoteServiceStub(connection).ListSources(pb.ListSourcesRequest())
    able = any(source.enabled and source.available for source in listed.sources)
    if as_json:
        print_json({"ok": able, **as_json_values(listed)})
        return int(not able)
    console = terminal.console()
    console.print(table(listed, time.time()))
    if said := clock_words(listed.own_clock):
        console.print(said)
    return int(not able)


def table(listed: pb.ListSourcesResponse, now_s: float) -> Table:
    """Return one row for each source."""
    shown = Table(*COLUMNS, box=None, pad_edge=False)
    for source in listed.sources:
        shown.add_row(*row(source, now_s))
    return shown
