"""`feedmesh quote`: a price of the aggregator, and what it is made of."""

import time
from pathlib import Path

from rich.table import Table

from cli import terminal
from cli.errors import UsageError
from cli.json_output import as_json_values, print_json
from cli.sockets import socket_of
from feedmesh.aggregator.v1 import quote_service_pb2 as quote_pb
from feedmesh.aggregator.v1 import quote_service_pb2_grpc as quote_grpc
from meshkit.listings.durations import duration
from meshkit.rpc.client import channel


async def quote(run_dir: Path, text: str, source: str, as_json: bool) -> None:
    """Show a price and what it is made of."""
    base, slash, counter = text.partition("/")
    if not (base and slash and counter) or "/" in counter:
        raise UsageError(f"PAIR: found {text!r}, allowed: BASE/QUOTE, for example BTC/USD")
    pair = quote_pb.Pair(base=base.strip(), quote=counter.strip())
    async with channel(socket_of(run_dir, "aggregator"), timeout_s=15) as connection:
        response = await quote_grpc.QuoteServiceStub(connection).GetQuote(
            quote_pb.GetQuoteRequest(pair=pair, source=source)
        )
    if as_json:
        print_json(as_json_values(response.quote))
        return
    answer = response.quote
    status_name = quote_pb.QuoteStatus.Name(answer.status).removeprefix("QUOTE_STATUS_").lower()
    notes = "".join(f", {note.replace('_', ' ')}" for note in answer.notes)
    print(f"{text}  {answer.price}  {status_name}, spread {answer.spread_bps} bps{notes}")
    table = Table("source", "pair", "price", "age", "verdict", box=None, pad_edge=False)
    judged = [(part, "used") for part in answer.sources] + [(left.quote, left.verdict) for left in answer.left_out]
    for part, verdict in judged:
        age = duration(time.time() - part.received_time.ToMilliseconds() / 1000)
        table.add_row(part.source, f"{part.pair.base}/{part.pair.quote}", part.price, age, verdict)
    terminal.console().print(table)
