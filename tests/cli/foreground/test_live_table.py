"""The screen of a run on a terminal."""

import io
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from cli.explain.doctor import Diagnosis
from cli.foreground.live_table import LiveTable, feed_state, numbers
from cli.foreground.mesh_watcher import View
from cli.foreground.run_report import FeedRecord
from feedmesh.operator.v1 import operator_service_pb2 as operator_pb
from feedmesh.supervisor.v1 import supervisor_service_pb2 as pb

WELL = Diagnosis(True, "every feed is answered")
STATES = [pb.SERVICE_STATE_HEALTHY, pb.SERVICE_STATE_COMPLETED, pb.SERVICE_STATE_FAILED, pb.SERVICE_STATE_PENDING]


def broken(name: str, *words: str) -> Diagnosis:
    """Return a verdict with one broken link."""
    return Diagnosis(False, words[0], [{"name": name, "state": "broken", "words": words}])


def screen(
    feeds: Sequence[str],
    *states: "pb.ServiceState.ValueType",
    found: Diagnosis = WELL,
    size: tuple[int, int] = (80, 24),
    answered: bool = True,
    startup_s: float | None = 1.0,
) -> list[str]:
    """Return the lines that are drawn on a terminal of a size, of a mesh whose services are in these states."""
    names = ["postgres", "operator", *(f"chainlink-node-{number}" for number in range(1, 64))]
    message = "exit code 1, and it says much about why it does not want to begin"
    view = View(
        {name: FeedRecord(name) for name in feeds},
        {
            name: pb.Service(name=name, state=state, pid=123456, message="" if state in STATES[:2] else message)
            for name, state in zip(names, states, strict=False)
        },
        startup_s=startup_s,
    )
    output = io.StringIO()
    console = Console(file=output, width=size[0], height=size[1], force_terminal=True, color_system=None)
    table = LiveTable(view, console, "feedmesh  " + "x" * 100, "page: http://127.0.0.1:3003/", lambda: found)
    for name in feeds if answered else ():
        observers = [f"chainlink-node-{number}" for number in range(2, 32)]
        accepted = operator_pb.Round(
            feed=name, answer="67123.12345678", round_id=12, observers=observers, transmitter="chainlink-node-31"
        )
        accepted.block_time.GetCurrentTime()
        table.round(accepted, view.feeds[name])
    console.print(table._draw(), end="")
    return output.getvalue().splitlines()


def test_a_mesh_that_is_well_needs_little_room() -> None:
    """Services that are well are one line, each feed is one with who observed, and the end says where the page is."""
    shown = screen(["BTC / USD", "ETH / USD"], *[pb.SERVICE_STATE_HEALTHY] * 12, pb.SERVICE_STATE_COMPLETED)

    assert "well: every feed is answered" == shown[1]
    assert "13 services: 12 healthy, 1 completed" == shown[2]
    assert ["BTC", "/", "USD", "fresh", "67123.12345678", "12", "0s", "2-31", "31"] == shown[5].split()
    assert "page: http://127.0.0.1:3003/   Ctrl-C stops everything in order" == shown[-1]
    assert 9 == len(shown)


def test_what_is_not_well_is_unfolded() -> None:
    """A service that is not well has its row, the worst first, and the others stay one line."""
    states = (pb.SERVICE_STATE_STARTING, pb.SERVICE_STATE_HEALTHY, pb.SERVICE_STATE_FAILED)
    shown = screen(["BTC / USD"], *states)

    assert "1 service: 1 healthy" == shown[2]
    assert [["chainlink-node-1", "failed"], ["postgres", "starting"]] == [line.split()[:2] for line in shown[4:6]]


def test_many_of_both_fit_a_small_terminal() -> None:
    """31 nodes that all fail and 260 feeds fit 80 columns and 24 lines, and what has no row is counted."""
    shown = screen([f"F{number:03} / USD" for number in range(260)], *[pb.SERVICE_STATE_FAILED] * 33)

    assert len(shown) < 24
    assert max(map(len, shown)) <= 80
    assert "26 services: 26 failed" in shown
    assert "253 more feeds: 253 fresh" in shown


@given(
    feeds=st.integers(0, 40),
    states=st.lists(st.sampled_from(STATES), max_size=40),
    size=st.tuples(st.integers(40, 200), st.integers(14, 60)),
    answered=st.booleans(),
    found=st.sampled_from(
        [WELL, broken("rpc", "the chain gives no answer: timed out"), Diagnosis(False, "no verdict")]
    ),
)
@settings(max_examples=40)
def test_whatever_there_is_fits(
    feeds: int, states: list[Any], size: tuple[int, int], answered: bool, found: Diagnosis
) -> None:
    """On any terminal, with any mesh in any state, the screen leaves the line of the cursor free."""
    shown = screen([f"F{number} / USD" for number in range(feeds)], *states, found=found, size=size, answered=answered)

    assert len(shown) < size[1]
    assert max(map(len, shown)) <= size[0]
    assert "page: " in shown[-1]


@pytest.mark.parametrize(
    ("found", "line", "state"),
    [
        (WELL, "well: every feed is answered", "fresh"),
        (
            broken("age", "BTC / USD has had no answer for 95 s, allowed are 40 s"),
            "not well: BTC / USD has had no answer for 95 s, allowed are 40 s",
            "stale",
        ),
        (broken("age", "ETH / USD has had no answer"), "not well: ETH / USD has had no answer", "fresh"),
        (
            broken("rpc", "the operator is starting: nobody tells how the chain is"),
            "not well: the operator is starting: nobody tells how the chain is",
            "fresh",
        ),
        (Diagnosis(False, "no verdict yet: nothing is there"), "no verdict yet: nothing is there", "fresh"),
        (
            broken("rpc", "the chain gives no answer: timed out"),
            "chain lost: the chain gives no answer: timed out",
            "chain lost",
        ),
        (
            Diagnosis(True, "", (), ("BTC / USD at chainlink-node-2: no price", "operator is stopped")),
            "degraded: BTC / USD at chainlink-node-2: no price (and 1 more)",
            "degraded",
        ),
    ],
)  # fmt: skip
def test_the_verdict_is_on_the_screen(found: Diagnosis, line: str, state: str) -> None:
    """Below the title is the verdict of `doctor`, and each feed has the word for it: stale, degraded, chain lost."""
    shown = screen(["BTC / USD"], pb.SERVICE_STATE_HEALTHY, found=found)

    assert line == shown[1]
    assert shown[5].startswith(f"BTC / USD  {state}  ")


def test_before_all_has_started_nothing_is_missing() -> None:
    """Until the mesh is ready no verdict is shown, whatever it is, and feeds wait."""
    shown = screen(["BTC / USD"], found=broken("rpc", "the chain is away"), answered=False, startup_s=None)

    assert ["starting", "0 services"] == shown[1:3]
    assert shown[5].split() == ["BTC", "/", "USD", "waiting"]


def test_a_feed_without_an_answer_waits() -> None:
    """Before its first round of this run a feed waits for it."""
    assert "waiting" == feed_state("BTC / USD", False, WELL)


@pytest.mark.parametrize(
    ("nodes", "text"),
    [
        (["chainlink-node-2", "chainlink-node-3", "chainlink-node-4", "chainlink-node-7"], "2-4 7"),
        (["chainlink-node-10", "chainlink-node-9"], "9-10"),
        (["0xAb12"], "0xAb12"),
        ([], ""),
    ],
)
def test_nodes_are_shown_by_their_numbers(nodes: list[str], text: str) -> None:
    """Neighbours are a range, and a transmitter that is no node of ours keeps its name."""
    assert text == numbers(nodes)
