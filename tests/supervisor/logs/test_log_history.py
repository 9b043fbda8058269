"""Lines that memory has forgotten are read from the files."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from meshkit.clock import ManualClock
from services.supervisor.config import LogSettings
from services.supervisor.logs.lines import Line
from services.supervisor.logs.log_collector import LogCollector
from services.supervisor.logs.log_history import LogHistory
from services.supervisor.logs.terminal import Terminal

LIMIT_BYTES, KEEP = 4_000, 4


@contextmanager
def hub_in(directory: Path, clock: ManualClock, limit_bytes: int = 10**7) -> Iterator[LogCollector]:
    """Give a logs of two services."""
    output = os.open(os.devnull, os.O_WRONLY)
    logs = LogCollector(["a", "b"], LogSettings(directory, limit_bytes=limit_bytes, keep=KEEP), clock, Terminal(output))
    yield logs
    logs.close()
    os.close(output)


def texts(lines: list[Line]) -> list[str]:
    """Return what the lines say."""
    return [line.text for line in lines]


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 2), st.integers(1, 400)), max_size=30),
    st.integers(0, 40),
    st.integers(1, 9000),
)
def test_files_and_memory_are_the_whole(pieces: list[tuple[str, int, int]], since: int, count: int) -> None:
    """Whatever was written when: history and memory together are every line since a time, none twice."""
    clock = ManualClock(1_000_000)
    written: list[tuple[int, str]] = []
    with tempfile.TemporaryDirectory() as root, hub_in(Path(root), clock) as logs:
        for service, pause_ms, lines in pieces:
            clock.advance(pause_ms / 1000)
            text = [f"{service} {len(written) + number}" for number in range(lines)]
            logs.feed(service, "".join(f"{each}\n" for each in text).encode())
            written += [(clock.time_ms(), each) for each in text]
        since_ms = 1_000_000 + since
        with LogHistory(logs, logs.services) as history:
            older = history.read(since_ms, lambda _: True, count)
        kept = [line for line in logs.after([], -1) if line.time_ms >= since_ms]

    expected = [text for time_ms, text in written if time_ms >= since_ms]
    if count >= len(expected):
        assert sorted(expected) == sorted(texts(older) + texts(kept))
    assert [line.time_ms for line in older] == sorted(line.time_ms for line in older)
    assert len(older) <= count


def test_the_lines_of_an_earlier_supervisor_are_found(tmp_path: Path) -> None:
    """A supervisor that has written nothing yet reads what its predecessor wrote; other services' lines stay out."""
    clock = ManualClock(1_000_000)
    with hub_in(tmp_path, clock) as logs:
        logs.feed("a", b"one\rtwo\nthree\n")
        logs.feed("b", b"other\n")
    clock.advance(5)
    with hub_in(tmp_path, clock) as logs, LogHistory(logs, ["a"]) as history:
        found = history.read(0, lambda line: "t" in line.text, 10)

    assert [("a", 1_000_000, "one\rtwo"), ("a", 1_000_000, "three")] == [
        (line.service, line.time_ms, line.text) for line in found
    ]


def test_rotated_files_are_read_and_a_torn_line_is_left_out(tmp_path: Path) -> None:
    """The oldest come from the last file; text that a full disk has torn is no line."""
    clock = ManualClock(1_000_000)
    with hub_in(tmp_path, clock, LIMIT_BYTES) as logs:
        for number in range(200):
            logs.feed("a", b"%03d\n" % number)
    (tmp_path / "a.log").write_bytes((tmp_path / "a.log").read_bytes() + b"torn\n")
    clock.advance(1)
    files = sorted(path.name for path in tmp_path.glob("a.log*"))
    with hub_in(tmp_path, clock, LIMIT_BYTES) as logs, LogHistory(logs, ["a"]) as history:
        found = texts(history.read(0, lambda _: True, 1000))

    assert ["a.log", "a.log.1"] == files
    assert [f"{number:03}" for number in range(200)] == found
