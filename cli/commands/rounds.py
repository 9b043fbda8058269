"""
Follow the rounds of the oracle protocol live, as the nodes themselves see them.

    node sockets ── WatchRounds (one task each, opened again when a node restarts) ──▶ RoundBook ──▶ table or lines
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import grpc
import grpc.aio
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cli.commands.round_book import (
    FINALIZED,
    OBSERVED,
    REPORTED,
    STARTED,
    TRANSMITTED,
    RoundBook,
    RoundView,
    stage_name,
)
from cli.errors import CliError, UsageError
from cli.json_output import print_json
from feedmesh.oracle.v1 import oracle_service_pb2 as pb
from feedmesh.oracle.v1 import oracle_service_pb2_grpc as pb_grpc
from meshkit.rpc.client import channel

_RECONNECT_S = 0.5
_COLOURS = {"transmitted": "green", "finalized": "green", "failed": "red", "completed": "dim"}
Follow = Callable[[str, pb.WatchRoundsResponse], None]


async def rounds(run_dir: Path, names: Sequence[str], count: int, as_json: bool) -> None:
    """
    Show moments of rounds until interrupted, or until `count` rounds ended, 0 for no end.

    Raises:
        CliError: when no node runs there.
        UsageError: when no node has a job of one of the names.
    """
    nodes = _nodes(run_dir)
    places = await _places(nodes, names)
    book, enough = RoundBook(), asyncio.Event()
    console = Console()

    def note(node: str, moment: pb.WatchRoundsResponse) -> None:
        if enough.is_set():
            return
        view = book.add(node, moment)
        if as_json:
            print_json(as_dict(node, moment, view, places))
        elif not console.is_terminal:
            print(line(node, moment, view), flush=True)
        if count and book.done >= count:
            enough.set()

    following = [asyncio.create_task(_follow(node, socket, names, note)) for node, socket in nodes.items()]
    ended = asyncio.create_task(_until(enough))
    try:
        if console.is_terminal and not as_json:
            with Live(get_renderable=lambda: table(book, places, bool(names)), console=console, refresh_per_second=4):
                await _first([*following, ended])
        else:
            await _first([*following, ended])
    finally:
        for task in (*following, ended):
            task.cancel()
        await asyncio.gather(*following, ended, return_exceptions=True)


def as_dict(
    node: str, moment: pb.WatchRoundsResponse, view: RoundView, places: Mapping[tuple[str, int], str]
) -> dict[str, object]:
    """Return a moment as JSON values for programs; times are Unix milliseconds."""
    at_ms = moment.time.ToMilliseconds()
    return {
        "node": node,
        "feed": moment.name,
        "epoch": moment.epoch,
        "round": moment.round,
        "leader": None if view.leader is None else places.get((moment.name, view.leader), f"oracle-{view.leader}"),
        "stage": stage_name(moment.stage),
        "time_ms": at_ms,
        "after_ms": at_ms - view.started_ms,
        "observers": [places.get((moment.name, index), f"oracle-{index}") for index in moment.observers],
        "value": moment.value or None,
        "detail": moment.detail or None,
        "due_ms": moment.due_time.ToMilliseconds() if moment.HasField("due_time") else None,
    }


def line(node: str, moment: pb.WatchRoundsResponse, view: RoundView) -> str:
    """Return a moment as a line of text."""
    at_ms = moment.time.ToMilliseconds()
    value, detail = f" {moment.value}" if moment.value else "", f": {moment.detail}" if moment.detail else ""
    return (
        f"{_clock(at_ms)}  {moment.name:<20} {moment.epoch}/{moment.round:<3} {_short(node):<8}"
        f" {stage_name(moment.stage):<11} +{at_ms - view.started_ms} ms{value}{detail}"
    )


def table(book: RoundBook, places: Mapping[tuple[str, int], str], history: bool) -> Table:
    """Return the newest round of each feed as a table, with `history` all rounds that are kept."""
    headings = ("feed", "epoch/round", "leader", "started", "observed", "signed", "final", "transmitted", "answer", "")
    shown = Table(*headings, box=None, pad_edge=False)
    for view in book.all() if history else book.latest():
        leader = "" if view.leader is None else places.get((view.feed, view.leader), f"oracle-{view.leader}")
        shown.add_row(
            view.feed,
            f"{view.epoch}/{view.round}",
            _short(leader),
            _clock(view.started_ms),
            *(_after(view, stage) for stage in (OBSERVED, REPORTED, FINALIZED)),
            _transmitted(view),
            view.answer,
            Text(view.detail or view.outcome, style=_COLOURS.get(view.outcome, "")),
        )
    if not shown.row_count:
        shown.add_row(Text("waiting for a round", style="dim"))
    return shown


def _after(view: RoundView, stage: "pb.RoundStage.ValueType") -> str:
    reached = view.after_ms(stage)
    nodes = len(view.times_ms.get(STARTED, ()))
    return "" if reached is None else f"+{reached[0]} ms {reached[1]}/{max(nodes, reached[1])}"


def _transmitted(view: RoundView) -> str:
    times = view.times_ms.get(TRANSMITTED, {})
    return " ".join(f"{_short(node)} +{at_ms - view.started_ms} ms" for node, at_ms in sorted(times.items()))


def _nodes(run_dir: Path) -> dict[str, Path]:
    found = {socket.stem: socket for socket in sorted(run_dir.absolute().glob("chainlink-node-*.sock"))}
    if not found:
        raise CliError(
            f"no embedded node runs here: {run_dir.absolute()} has no chainlink-node-*.sock",
            "start a mesh with `feedmesh run`, or give --run-dir; Chainlink's own nodes do not tell their rounds",
        )
    return found


async def _places(nodes: Mapping[str, Path], names: Sequence[str]) -> dict[tuple[str, int], str]:
    """Return which node has which place in each feed's configuration; UsageError if a name is nobody's job."""
    places: dict[tuple[str, int], str] = {}
    known: set[str] = set()
    failure: grpc.aio.AioRpcError | None = None
    for node, socket in nodes.items():
        try:
            async with channel(socket) as connection:
                listed = await pb_grpc.OracleServiceStub(connection).ListJobs(pb.ListJobsRequest())
        except grpc.aio.AioRpcError as error:
            failure = error
            continue
        jobs = [job for job in listed.jobs if not job.bootstrap]
        known |= {job.name for job in jobs}
        places |= {(job.name, job.oracle_index): node for job in jobs if job.HasField("oracle_index")}
    if not known and failure is not None:
        raise failure
    for name in names:
        if name not in known:
            listing = ", ".join(sorted(known)) or "none yet"
            raise UsageError(f"FEED: found {name!r}, allowed: the feeds that run here: {listing}")
    return places


async def _follow(node: str, socket: Path, names: Sequence[str], note: Follow) -> None:
    while True:
        try:
            async with channel(socket) as connection:
                stub = pb_grpc.OracleServiceStub(connection)
                async for moment in stub.WatchRounds(pb.WatchRoundsRequest(names=names)):
                    note(node, moment)
        except grpc.aio.AioRpcError as error:
            if error.code() in (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.INVALID_ARGUMENT):
                raise
        await asyncio.sleep(_RECONNECT_S)


async def _until(event: asyncio.Event) -> None:
    await event.wait()


async def _first(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Return when one of the tasks ended, with its error if it has one."""
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()


def _clock(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%H:%M:%S.%f")[:-3]


def _short(node: str) -> str:
    return node.removeprefix("chainlink-")
