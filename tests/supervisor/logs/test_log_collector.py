"""Lines kept, shown and followed."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshkit.clock import ManualClock
from services.supervisor.config import LogSettings
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
