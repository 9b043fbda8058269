"""Log lines that have left memory, read back from the rotated files."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from heapq import merge
from itertools import islice
from operator import attrgetter
from typing import BinaryIO, Final, Self

from services.supervisor.logs.lines import Line, stamp
from services.supervisor.logs.log_collector import LogCollector

_STAMP_BYTES: Final = len(stamp(0))


class LogHistory:
    """
    What the files of some services hold beside their lines in memory, as of the moment it is made.

    `read` may run in a thread; the files are open already, so a rotation meanwhile changes nothing. As a context
    manager it closes them.
    """

    def __init__(self, logs: LogCollector, services: Iterable[str]) -> None:
        self._stack = ExitStack()
        self._services = [
            (name, [self._stack.enter_context(path.open("rb")) for path in logs.files(name)], *_edge(logs, name))
            for name in services
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def read(self, since_ms: int, wanted: Callable[[Line], bool], count: int) -> list[Line]:
        """Return the last `count` wanted lines from `since_ms` on that memory has not, oldest first, numbered 0."""
        found = (
            list(islice(filter(wanted, _latest(name, files, since_ms, edge_ms, at_edge)), count))[::-1]
            for name, files, edge_ms, at_edge in self._services
        )
        return list(merge(*found, key=attrgetter("time_ms")))[-count:]


def _edge(logs: LogCollector, service: str) -> tuple[int, int]:
    """Return the time of the oldest line in memory, now if it has none, and how many lines of that time it has."""
    kept = logs.after([service], -1)
    if not kept:
        return logs.time_ms(), 0
    return kept[0].time_ms, sum(line.time_ms == kept[0].time_ms for line in kept)


def _latest(name: str, files: Sequence[BinaryIO], since_ms: int, edge_ms: int, at_edge: int) -> Iterator[Line]:
    """Yield the lines before the edge, latest first; `files` begin with the latest."""
    first, edge = stamp(since_ms).encode(), stamp(edge_ms).encode()
    for file in files:
        for raw in reversed(file.read().removesuffix(b"\n").split(b"\n")):
            at, text = raw[:_STAMP_BYTES], raw[_STAMP_BYTES + 1 :]
            if at > edge:
                continue
            if at == edge and at_edge:
                at_edge -= 1
                continue
            if at < first:
                return
            try:
                time_ms = round(datetime.fromisoformat(at.decode()).timestamp() * 1000)
            except ValueError:
                continue  # the start of this line was lost, when the disk was full
            yield Line(0, name, time_ms, text.decode(errors="replace"))
