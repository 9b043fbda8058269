"""What the services write: cut into lines, shown with a prefix, kept in files and in memory."""

import io
from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import merge
from itertools import takewhile
from operator import attrgetter
from pathlib import Path
from typing import Final, TextIO

from meshkit.clock import Clock
from services.supervisor.logs.rotating_file import RotatingFile
from services.supervisor.logs.terminal import Terminal
from services.supervisor.notifier import Pulse
from services.supervisor.plan.settings import LogSettings

LINE_BYTES: Final = 16_384
SUPERVISOR: Final = "supervisor"
_CUT: Final = b" [cut]"
_RING_LINES: Final = 2000
_RING_BYTES: Final = 1024 * 1024
_NEVER: Final = -1


@dataclass(frozen=True, slots=True)
class Line:
    """One line; `number` counts the lines of all services in the order in which they were read."""

    number: int
    service: str
    time_ms: int
    text: str


def stamp(time_ms: int) -> str:
    """Return the time as it begins each line of a log file: texts in the order of the times."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds")


class Splitter:
    """
    Cut a stream of bytes into lines of at most LINE_BYTES bytes.

    The rest of a longer line is thrown away as it comes, so a line without end costs no memory. Bytes that are not
    UTF-8 become the replacement character.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._skipping = False

    def feed(self, piece: bytes) -> list[str]:
        """Return the lines that this piece completes."""
        *whole, rest = (self._rest + piece).split(b"\n")
        if self._skipping and whole:
            del whole[0]
            self._skipping = False
        lines = [_text(line) for line in whole]
        if self._skipping:
            rest = b""
        elif len(rest) > LINE_BYTES:
            lines.append(_text(rest))
            self._skipping, rest = True, b""
        self._rest = rest
        return lines

    def end(self) -> list[str]:
        """Return the last line if it has no newline, and be ready for the next process."""
        rest, self._rest, self._skipping = self._rest, b"", False
        return [_text(rest)] if rest else []


class Ring:
    """The last lines of one service, bounded in number and in size."""

    def __init__(self) -> None:
        self._lines: deque[Line] = deque()
        self._size = 0

    def add(self, line: Line) -> None:
        """Keep the line and forget the oldest ones beyond the bounds."""
        self._lines.append(line)
        self._size += len(line.text)
        while len(self._lines) > _RING_LINES or self._size > _RING_BYTES:
            self._size -= len(self._lines.popleft().text)

    def after(self, number: int) -> list[Line]:
        """Return the lines with a higher number, oldest first."""
        return list(takewhile(lambda line: line.number > number, reversed(self._lines)))[::-1]


class LogHub:
    """
    The lines of all services.

    Nothing here waits: the terminal has its own thread, files take what the disk takes, readers come when they like
    and find what is still kept.
    """

    def __init__(self, services: Iterable[str], settings: LogSettings, clock: Clock, terminal: Terminal) -> None:
        names = [*services, SUPERVISOR]
        settings.directory.mkdir(mode=0o750, parents=True, exist_ok=True)
        self._settings = settings
        self._clock = clock
        self._terminal = terminal
        self._rings: dict[str, Ring] = {}
        self._splitters: dict[str, Splitter] = {}
        self._files: dict[str, RotatingFile] = {}
        self._prefixes: dict[str, str] = {}
        self._width = max(map(len, names))
        self.changed: Final = Pulse()
        self.last_number = 0
        for name in names:
            self.add(name)

    def add(self, service: str) -> None:
        """Make room for the lines of one more service; those of one that was there before are still there."""
        if service not in self._rings:
            settings = self._settings
            self._rings[service] = Ring()
            self._splitters[service] = Splitter()
            self._files[service] = RotatingFile(self.path(service), settings.limit_bytes, settings.keep)
            self._prefixes[service] = f"{service:<{self._width}} | "

    @property
    def services(self) -> list[str]:
        """Return everybody who writes here."""
        return list(self._rings)

    def time_ms(self) -> int:
        """Return the time that a line written now would have."""
        return self._clock.time_ms()

    def path(self, service: str) -> Path:
        """Return the log file of a service."""
        return self._settings.directory / f"{service}.log"

    def files(self, service: str) -> list[Path]:
        """Return the files a service's lines are in, the latest first."""
        return self._files[service].paths()

    def feed(self, service: str, piece: bytes) -> None:
        """Take a piece of a service's output."""
        self._add(service, self._splitters[service].feed(piece))

    def end(self, service: str) -> None:
        """Take the end of a process's output as the end of its last line."""
        self._add(service, self._splitters[service].end())

    def note(self, text: str) -> None:
        """Add a line of the supervisor itself."""
        self._add(SUPERVISOR, [text])

    def stream(self) -> TextIO:
        """Return a text stream whose lines are the supervisor's own, for a logging handler."""
        return _Stream(self)

    def last(self, services: Collection[str], count: int) -> list[Line]:
        """Return the last `count` lines over these services, oldest first; no services means all."""
        return self.after(services, _NEVER)[-count:]

    def after(self, services: Collection[str], number: int) -> list[Line]:
        """Return the kept lines of these services with a higher number, oldest first; no services means all."""
        rings = (self._rings[name].after(number) for name in services or self._rings)
        return list(merge(*rings, key=attrgetter("number")))

    def close(self) -> None:
        """Flush and close everything; what is still written is kept in memory only."""
        for service in self._splitters:
            self.end(service)
        for file in self._files.values():
            file.close()
        self._terminal.close()

    def _add(self, service: str, lines: list[str]) -> None:
        if not lines:
            return
        time_ms = self.time_ms()
        written = stamp(time_ms)
        ring, prefix = self._rings[service], self._prefixes[service]
        for text in lines:
            self.last_number += 1
            ring.add(Line(self.last_number, service, time_ms, text))
        self._files[service].write("".join([f"{written} {text}\n" for text in lines]).encode())
        self._terminal.write("".join([f"{prefix}{text}\n" for text in lines]).encode())
        self.changed.beat()


class _Stream(io.TextIOBase, TextIO):
    """The write end of the supervisor's own lines."""

    def __init__(self, hub: LogHub) -> None:
        self._hub = hub

    def write(self, text: str) -> int:
        """Take text that need not end at a line's end."""
        self._hub.feed(SUPERVISOR, text.encode(errors="replace"))
        return len(text)


def _text(line: bytes) -> str:
    if len(line) > LINE_BYTES:
        line = line[: LINE_BYTES - len(_CUT)] + _CUT
    return line.removesuffix(b"\r").decode(errors="replace")
