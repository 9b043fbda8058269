"""`feedmesh sources`: every price source with its state."""

import time
from pathlib import Path

from rich.table import Table

from cli import terminal
from cli.json_output import as_json_values, print_json
from cli.service_table import duration
from cli.sockets import socket_of
from feedmesh.aggregator.v1 import quote_service_pb2 as pb
from feedmesh.aggregator.v1 import quote_service_pb2_grpc as pb_grpc
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
    if listed.own_clock.off:
        console.print(f"our own clock is {listed.own_clock.ahead_ms} ms ahead of the sources': there are no prices")
    return int(not able)


def table(listed: pb.ListSourcesResponse, now_s: float) -> Table:
    """Return one row for each source."""
    shown = Table("source", "state", "stream", "pairs", "fresh", "last price", "", box=None, pad_edge=False)
    for source in listed.sources:
        has_stream = source.HasField("stream_connected")
        stream = ("up" if source.stream_connected else "down") if has_stream else ""
        age = (
            duration(now_s - source.last_success_time.ToMilliseconds() / 1000)
            if source.HasField("last_success_time")
            else ""
        )
        pairs, fresh = str(source.registered_pairs), str(source.fresh_pairs)
        shown.add_row(source.name, state(source), stream, pairs, fresh, age, source.last_error)
    return shown


def state(source: pb.SourceState) -> str:
    """Return in a word or two how a source is."""
    if not source.enabled:
        return "off"
    if source.circuit == pb.CIRCUIT_STATE_OPEN:
        return "left alone"
    return "up" if source.available else "no answer yet" if not source.last_error else "fails"
