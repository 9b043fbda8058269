"""The commands that look into a running mesh and control its processes."""

import sys
import time
from pathlib import Path
from typing import Literal

import grpc
import grpc.aio
import orjson
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.console import Console
from rich.table import Table

from cli.display import duration, service_table
from cli.errors import CliError, UsageError
from cli.logs import LogSelection, tail
from cli.report import service_json
from feedmesh.aggregator.v1 import quote_service_pb2 as quote_pb
from feedmesh.aggregator.v1 import quote_service_pb2_grpc as quote_grpc
from feedmesh.operator.v1 import operator_service_pb2 as operator_pb
from feedmesh.operator.v1 import operator_service_pb2_grpc as operator_grpc
from feedmesh.supervisor.v1 import supervisor_service_pb2 as supervisor_pb
from feedmesh.supervisor.v1 import supervisor_service_pb2_grpc as supervisor_grpc
from meshkit import feeds as known
from meshkit.client import channel
from meshkit.paths import RunDir

Action = Literal["StartService", "StopService", "RestartService"]
# Stopping a service may take as long as its own stop timeout.
_CONTROL_TIMEOUT_S = 60.0


def explain(error: grpc.aio.AioRpcError) -> str:
    """Return a failed call as a sentence for a person."""
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        return f"no answer from the mesh: {error.details()} (is it running? see `feedmesh run` and --run-dir)"
    return f"{error.details()} [{error.code().name}]"


def socket_of(run_dir: Path, service: str) -> Path:
    """Return a service's socket. Raises CliError if no mesh runs there."""
    socket = RunDir(run_dir.absolute()).socket(service)
    if not socket.exists():
        raise CliError(
            f"no mesh runs here: {socket} does not exist", "start one with `feedmesh run`, or give --run-dir"
        )
    return socket


def print_json(value: object) -> None:
    """Write a line of JSON for programs."""
    print(orjson.dumps(value).decode())


def _as_dict(message: Message) -> dict[str, object]:
    return MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)


async def status(run_dir: Path, as_json: bool) -> None:
    """Show every service."""
    async with channel(socket_of(run_dir, "supervisor")) as connection:
        stub = supervisor_grpc.SupervisorServiceStub(connection)
        listed = await stub.ListServices(supervisor_pb.ListServicesRequest())
    if as_json:
        services = [
            {**service_json(service), "last_exit": service.last_exit, "message": service.message}
            for service in listed.services
        ]
        print_json({"supervisor_pid": listed.supervisor_pid, "services": services})
    else:
        Console().print(service_table(list(listed.services), time.time()))


async def logs(run_dir: Path, selection: LogSelection, as_json: bool) -> None:
    """Show log lines."""
    async for line in tail(socket_of(run_dir, "supervisor"), selection):
        if as_json:
            print_json({"service": line.service, "time_ms": line.time.ToMilliseconds(), "text": line.text})
        else:
            print(f"{line.service} | {line.text}", flush=True)


async def control(run_dir: Path, action: Action, name: str, as_json: bool) -> None:
    """Start, stop or restart a service and show what became of it."""
    async with channel(socket_of(run_dir, "supervisor")) as connection:
        stub = supervisor_grpc.SupervisorServiceStub(connection)
        request = getattr(supervisor_pb, f"{action}Request")(name=name)
        response = await getattr(stub, action)(request, timeout=_CONTROL_TIMEOUT_S)
    if as_json:
        print_json(service_json(response.service))
    else:
        Console().print(service_table([response.service], time.time()))


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
        print_json(_as_dict(response.quote))
        return
    answer = response.quote
    status_name = quote_pb.QuoteStatus.Name(answer.status).removeprefix("QUOTE_STATUS_").lower()
    print(f"{text}  {answer.price}  {status_name}, spread {answer.spread_bps} bps")
    table = Table("source", "pair", "price", "age", box=None, pad_edge=False)
    for part in answer.sources:
        age = duration(time.time() - part.received_time.ToMilliseconds() / 1000)
        table.add_row(part.source, f"{part.pair.base}/{part.pair.quote}", part.price, age)
    Console().print(table)


async def feeds(run_dir: Path, as_json: bool) -> None:
    """Show the running feeds."""
    async with channel(socket_of(run_dir, "operator")) as connection:
        listed = await operator_grpc.OperatorServiceStub(connection).ListFeeds(operator_pb.ListFeedsRequest())
    if as_json:
        print_json([_as_dict(feed) for feed in listed.feeds])
        return
    table = Table("feed", "phase", "answer", "round", "age", "contract", box=None, pad_edge=False)
    for feed in listed.feeds:
        phase = operator_pb.FeedPhase.Name(feed.phase).removeprefix("FEED_PHASE_").lower()
        has_answer = feed.HasField("update_time")
        age = duration(time.time() - feed.update_time.ToMilliseconds() / 1000) if has_answer else ""
        table.add_row(feed.name, phase, feed.answer, str(feed.round_id or ""), age, feed.address)
    Console().print(table)


def known_feeds(as_json: bool) -> None:
    """List the feeds that a configuration may name."""
    rows = list(known.load().values())
    if as_json:
        print_json(
            [
                {
                    "name": feed.name,
                    "kind": feed.kind,
                    "decimals": feed.decimals,
                    "heartbeat_ms": feed.heartbeat_ms,
                    "deviation_ppb": feed.deviation_ppb,
                    "sources": dict(feed.sources),
                    "cross": feed.cross,
                }
                for feed in rows
            ]
        )
        return
    for feed in rows:
        sys.stdout.write(f"{feed.name}\n")
