"""`feedmesh feeds show`: one feed with all that is known of it, as a person reads it."""

import time
from collections.abc import Iterable
from pathlib import Path

from rich.table import Table

from cli import terminal
from cli.errors import UsageError
from cli.json_output import as_json_values, print_json
from cli.sockets import socket_of
from feedmesh.operator.v1 import operator_service_pb2 as pb
from feedmesh.operator.v1 import operator_service_pb2_grpc as pb_grpc
from meshkit import feeds
from meshkit.listings.durations import duration
from meshkit.rpc.client import channel


async def show(run_dir: Path, name: str, as_json: bool) -> None:
    """Show a feed that runs: contract, answer, jobs, and how it is priced. Raises UsageError if none has the name."""
    async with channel(socket_of(run_dir, "operator")) as connection:
        stub = pb_grpc.OperatorServiceStub(connection)
        listed = (await stub.ListFeeds(pb.ListFeedsRequest())).feeds
        feed = next((each for each in listed if each.name == name), None)
        if feed is None:
            there = ", ".join(each.name for each in listed) or "none"
            raise UsageError(f"FEED: found {name!r}, allowed: the feeds that run here: {there}")
        nodes = (await stub.ListJobs(pb.ListJobsRequest())).nodes
    if as_json:
        print_json({**as_json_values(feed), "priced_by": priced_by(name), "jobs": jobs_of(feed, nodes)})
        return
    table = Table("", "", show_header=False, box=None, pad_edge=False)
    for what, value in rows(feed, nodes, time.time()):
        table.add_row(what, value)
    terminal.console().print(table)


def rows(feed: pb.Feed, nodes: Iterable[pb.NodeJobs], now_s: float) -> list[tuple[str, str]]:
    """Return name and value of each line."""
    phase = pb.FeedPhase.Name(feed.phase).removeprefix("FEED_PHASE_").lower()
    answered = feed.HasField("update_time")
    age = f", {duration(now_s - feed.update_time.ToMilliseconds() / 1000)} ago" if answered else ""
    found = [
        ("feed", feed.name),
        ("phase", phase),
        ("contract", feed.address or "none yet"),
        ("decimals", str(feed.decimals)),
        ("configuration", feed.config_digest or "none yet"),
        ("answer", f"{feed.answer} in round {feed.round_id}{age}" if answered else "none yet"),
    ]
    found += [("differs", each) for each in feed.config_differences]
    found += [("priced by", f"{pair}: {', '.join(sources)}") for pair, sources in priced_by(feed.name).items()]
    return [*found, *(("job", f"{node}: {state}") for node, state in jobs_of(feed, nodes).items())]


def priced_by(name: str) -> dict[str, list[str]]:
    """Return the sources of each pair that a known feed is made of; nothing of a feed that only a template knows."""
    from meshkit.configuration.checks.rounds import priced_by as pairs

    known = feeds.load().get(name)
    return {} if known is None else {pair: sorted(sources) for pair, sources in pairs(known)}


def jobs_of(feed: pb.Feed, nodes: Iterable[pb.NodeJobs]) -> dict[str, str]:
    """Return what each node says of the feed's job: its id and errors, that there is none, or why it says nothing."""
    told: dict[str, str] = {}
    for node in nodes:
        mine = [job for job in node.jobs if feed.address and job.contract_address.lower() == feed.address.lower()]
        texts = [f"{job.id}" + "".join(f"; {error}" for error in job.errors) for job in mine]
        told[node.node] = node.problem or ", ".join(texts) or "none"
    return told
