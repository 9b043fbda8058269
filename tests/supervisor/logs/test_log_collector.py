"""Lines: cut, kept, shown, followed."""

import asyncio
import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.clock import ManualClock
from services.supervisor.config import LogSettings
from services.supervisor.logs.lines import LINE_BYTES, LineSplitter
from services.supervisor.logs.log_collector import LogCollector
from services.supervisor.logs.terminal import Terminal


@pytest.fixture(name="output")
def _output(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path / "stdout", os.O_CREAT | os.O_RDWR)
    yield descriptor
    os.close(descriptor)


@pytest.fixture(name="logs")
def _logs(tmp_path: Path, output: int) -> Iterator[LogCollector]:
    logs = LogCollector(["postgres", "a"], LogSettings(tmp_path / "logs"), ManualClock(1_000), Terminal(output))
    yield logs
    logs.close()


@given(st.binary(max_size=200), st.lists(st.integers(0, 200)))
def test_lines_do_not_depend_on_how_the_bytes_come(content: bytes, cuts: list[int]) -> None:
    """Any division into pieces gives the lines of the whole, in text that is valid UTF-8."""
    splitter = LineSplitter()
    edges = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    lines = [line for a, b in pairwise(edges) for line in splitter.feed(content[a:b])]
    lines += splitter.end()
    expected = content.split(b"\n")
    expected = expected if expected[-1] else expected[:-1]

    assert [line.removesuffix(b"\r").decode(errors="replace") for line in expected] == lines
    assert "".join(lines) == "".join(lines).encode().decode()


@given(st.integers(0, 3 * LINE_BYTES), st.integers(1, 70_000))
def test_a_long_line_is_cut_once(length: int, piece: int) -> None:
    """A line beyond the limit becomes one line of the limit's length that says so; the next line is whole."""
    splitter = LineSplitter()
    content = b"x" * length + b"\nnext\n"
    lines = [line for at in range(0, len(content), piece) for line in splitter.feed(content[at : at + piece])]

    assert "next" == lines[-1]
    assert 2 == len(lines)
    if length <= LINE_BYTES:
        assert "x" * length == lines[0]
    else:
        assert LINE_BYTES == len(lines[0])
        assert lines[0].endswith("x [cut]")


def test_a_line_without_end_costs_no_memory() -> None:
    """A hundred megabytes without a newline are one line of 16 KiB."""
    splitter = LineSplitter()
    lines = [line for _ in range(1600) for line in splitter.feed(b"x" * 65_536)]

    assert [LINE_BYTES] == [len(line) for line in lines]
    assert [] == splitter.end()


def test_prefix_on_stdout_and_time_in_the_file(logs: LogCollector, tmp_path: Path) -> None:
    """Standard output shows who wrote; the service's own file shows when."""
    logs.feed("a", b"one\ntwo")
    logs.feed("postgres", b"three\n")
    logs.end("a")
    logs.note("four")
    logs.close()

    assert (tmp_path / "stdout").read_text() == (
        "a          | one\npostgres   | three\na          | two\nsupervisor | four\n"
    )
    assert (
        tmp_path / "logs/a.log"
    ).read_text() == "1970-01-01T00:00:01.000+00:00 one\n1970-01-01T00:00:01.000+00:00 two\n"


def test_last_lines_over_all_services_in_their_order(logs: LogCollector) -> None:
    """A tail mixes services in the order of reading; naming services leaves the others out."""
    for number in range(6):
        logs.feed("a" if number % 2 else "postgres", b"%d\n" % number)

    assert ["3", "4", "5"] == [line.text for line in logs.last((), 3)]
    assert ["1", "3", "5"] == [line.text for line in logs.last({"a"}, 100)]
    assert ["4", "5"] == [line.text for line in logs.after((), 4)]


def test_memory_is_bounded(logs: LogCollector) -> None:
    """A service's ring holds its last lines, at most 2000 and one megabyte, and another's flood does not empty it."""
    logs.feed("postgres", b"kept\n")
    logs.feed("a", b"".join(b"%d\n" % number for number in range(5000)))

    assert [str(number) for number in range(3000, 5000)] == [line.text for line in logs.last({"a"}, 10_000)]

    logs.feed("a", (b"y" * 16_000 + b"\n") * 100)

    assert 65 == len(logs.last({"a"}, 10_000))
    assert ["kept"] == [line.text for line in logs.last({"postgres"}, 10)]


async def test_changed_wakes_a_follower(logs: LogCollector) -> None:
    """Who waits for the next line is woken by it."""
    waiting = asyncio.create_task(logs.changed.wait())
    await asyncio.sleep(0)
    logs.feed("a", b"no newline yet")
    await asyncio.sleep(0)

    assert not waiting.done()

    logs.feed("a", b"\n")
    await asyncio.wait_for(waiting, 1)


def test_the_log_of_the_supervisor_itself_is_a_stream(logs: LogCollector) -> None:
    """What a logging handler writes becomes lines of `supervisor`."""
    stream = logs.stream()
    stream.write('{"event":')
    stream.write('"x"}\n')
    stream.flush()

    assert ['{"event":"x"}'] == [line.text for line in logs.last({"supervisor"}, 1)]
