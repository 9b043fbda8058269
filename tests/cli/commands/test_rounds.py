"""`feedmesh rounds` before nodes that serve the real OracleService."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rich.console import Console

from cli.commands.round_book import FINALIZED, RoundBook
from cli.commands.rounds import as_dict, line, rounds, table
from feedmesh.oracle.v1 import oracle_service_pb2 as pb
from feedmesh.oracle.v1.oracle_service_pb2_grpc import add_OracleServiceServicer_to_server
from meshkit.rpc.server import MeshServer
from services.oracle.jobs.job_spawner import JobSpawner
from services.oracle.jobs.job_status import JobStatus
from services.oracle.jobs.round_events import RoundEvents
from services.oracle.ocr.state import Trace, TraceKind
from services.oracle.p2p.host import Host
from services.oracle.round_records.kept_rounds import KeptRounds
from services.oracle.service import FULL_NAME, OracleServicer
from tests.waiting import until

FEED = "BTC / USD"
NODES = ("chainlink-node-2", "chainlink-node-3")
PLACES = {(FEED, 0): NODES[0], (FEED, 1): NODES[1]}


def trace(kind: TraceKind, at_ms: int, round_number: int = 1, **more: Any) -> Trace:
    """Return a moment of a round of epoch 7, led by oracle 1."""
    return Trace(kind, 7, round_number, at_ms, 1, **more)


def moment(stage: "pb.RoundStage.ValueType", at_ms: int, round_number: int = 1, **more: Any) -> pb.WatchRoundsResponse:
    """Return what a node says of a round of epoch 7, led by oracle 1."""
    said = pb.WatchRoundsResponse(name=FEED, epoch=7, round=round_number, leader=1, stage=stage, **more)
    said.time.FromMilliseconds(at_ms)
    return said


@asynccontextmanager
async def _serving(run_dir: Path) -> AsyncIterator[dict[str, RoundEvents]]:
    """Serve the real OracleService of two nodes, each with one job, whose rounds are what one publishes."""
    published: dict[str, RoundEvents] = {}
    async with AsyncExitStack() as stack:
        for index, name in enumerate(NODES):
            job = SimpleNamespace(external_job_id="e", name=FEED, label=FEED, contract="0x")
            status = JobStatus(FEED)
            status.oracle_index = index
            active = SimpleNamespace(id=1, job=job, status=status)
            published[name] = RoundEvents()
            spawner = cast(JobSpawner, SimpleNamespace(all=lambda active=active: [active]))
            host = cast(Host, SimpleNamespace())
            server = MeshServer(name, run_dir / f"{name}.sock")
            kept = cast(KeptRounds, SimpleNamespace())
            servicer = OracleServicer(host, {}, spawner, published[name], kept)
            server.add(add_OracleServiceServicer_to_server, servicer, FULL_NAME)
            await stack.enter_async_context(server)
        yield published


async def _watched(published: dict[str, RoundEvents]) -> None:
    await until(lambda: all(rounds._watchers for rounds in published.values()), "both nodes are watched")


async def test_moments_of_all_nodes_are_lines_of_json(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every moment that a node publishes is one line, with times relative to the round's start and nodes by name."""
    async with _serving(run_dir) as published:
        following = asyncio.create_task(rounds(run_dir, [FEED], 1, as_json=True))
        await _watched(published)
        published[NODES[0]].publish(FEED, trace(TraceKind.ROUND_STARTED, 1000))
        published["chainlink-node-2"].publish("another", trace(TraceKind.ROUND_STARTED, 1000))
        published[NODES[0]].publish(FEED, trace(TraceKind.OBSERVATION_SENT, 1040, value=-5))
        published[NODES[0]].publish(FEED, trace(TraceKind.FINAL, 1500, observers=(1, 0, 3), median=65))
        await following

    # The servers' own log lines are there too.
    said = [json.loads(text) for text in capsys.readouterr().out.splitlines() if text.startswith('{"node"')]
    assert [("started", 0), ("observed", 40), ("finalized", 500)] == [(one["stage"], one["after_ms"]) for one in said]
    assert {NODES[0]} == {one["node"] for one in said}
    assert {NODES[1]} == {one["leader"] for one in said}
    assert [None, "-5", "65"] == [one["value"] for one in said]
    assert [NODES[1], NODES[0], "oracle-3"] == said[-1]["observers"]


async def test_a_node_that_restarts_is_followed_again(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """After all nodes went away and came back, new rounds are shown."""
    async with _serving(run_dir) as published:
        following = asyncio.create_task(rounds(run_dir, [], 1, as_json=False))
        await _watched(published)
    async with _serving(run_dir) as published:
        await _watched(published)
        published[NODES[1]].publish(FEED, trace(TraceKind.REPORT_DECLINED, 2000, detail="nothing to report"))
        await following

    (text,) = (text for text in capsys.readouterr().out.splitlines() if FEED in text)
    assert "7/1" in text
    assert "node-3" in text
    assert text.endswith("completed   +0 ms: nothing to report")


async def test_a_feed_that_does_not_run_is_refused(run_dir: Path) -> None:
    """A name that is nobody's job is a usage error that says which feeds run."""
    async with _serving(run_dir):
        command = [sys.executable, "-m", "cli", "rounds", "ETH / USD", "--run-dir", str(run_dir)]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60, check=False)

    assert 2 == done.returncode
    assert "FEED: found 'ETH / USD', allowed: the feeds that run here: BTC / USD" in done.stderr


def test_no_node_is_one_clear_line(run_dir: Path) -> None:
    """Where no embedded node runs, the command says so."""
    command = [sys.executable, "-m", "cli", "rounds", "--run-dir", str(run_dir)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert (1, 1) == (done.returncode, len(done.stderr.splitlines()))
    assert "no embedded node runs here" in done.stderr


def test_table_shows_how_far_each_round_got() -> None:
    """The table has the newest round of each feed, how long its stages took, how many nodes got there, who sent it."""
    book = RoundBook()
    for node in NODES:
        book.add(node, moment(pb.ROUND_STAGE_STARTED, 999))
        book.add(node, moment(pb.ROUND_STAGE_STARTED, 5000, 2))
    book.add(NODES[0], moment(pb.ROUND_STAGE_OBSERVED, 5060, 2, value="7"))
    book.add(NODES[0], moment(pb.ROUND_STAGE_FINALIZED, 5300, 2, value="65", observers=[0, 1]))
    book.add(NODES[1], moment(pb.ROUND_STAGE_TRANSMITTED, 6200, 2))
    console = Console(width=160, record=True)
    console.print(table(book, PLACES, history=False))
    shown = console.export_text().splitlines()

    assert 2 == len(shown)
    for part in ("7/2", "node-3", "00:00:05.000", "+60 ms 1/2", "+300 ms 1/2", "node-3 +1200 ms", "65", "transmitted"):
        assert part in shown[1]


def test_book_counts_each_round_once_and_keeps_the_newest() -> None:
    """However many nodes tell the end of a round it is one round, and old rounds are forgotten."""
    book = RoundBook()
    for number in range(1, 101):
        for node in NODES:
            view = book.add(node, moment(FINALIZED, 1000 * number, number))

    assert 100 == book.done
    assert list(range(100, 80, -1)) == [kept.round for kept in book.all()]
    assert 100 == next(book.latest()).round
    assert (0, 2) == view.after_ms(FINALIZED)


def test_a_moment_without_a_start_is_its_own() -> None:
    """A round whose start was not seen is timed from the first thing known of it."""
    book = RoundBook()
    said = moment(pb.ROUND_STAGE_SCHEDULED, 1234)
    said.due_time.FromMilliseconds(2000)
    view = book.add(NODES[0], said)

    assert (0, 2000) == (as_dict(NODES[0], said, view, {})["after_ms"], as_dict(NODES[0], said, view, {})["due_ms"])
    assert "scheduled" in line(NODES[0], said, view)
