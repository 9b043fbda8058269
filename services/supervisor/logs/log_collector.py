"""What the services write: cut into lines, shown on the terminal with a prefix, kept in files and in memory."""

import io
from collections.abc import Collection, Iterable
from heapq import merge
from operator import attrgetter
from pathlib import Path
from typing import Final, TextIO

from meshkit.clock import Clock
from services.supervisor.config import LogSettings
from services.supervisor.logs.lines import Line, LineSplitter, RecentLines, stamp
from services.supervisor.logs.rotating_file import RotatingFile
from services.supervisor.logs.terminal import Terminal
from services.supervisor.notifier import Notifier

SUPERVISOR: Final = "supervisor"
_NEVER: Final = -1


class LogCollector:
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
        self._recent: dict[str, RecentLines] = {}
        self._splitters: dict[str, LineSplitter] = {}
        self._files: dict[str, RotatingFile] = {}
        self._prefixes: dict[str, str] = {}
        self._width = max(map(len, names))
        self.changed: Final = Notifier()
        self.last_number = 0
        for name in names:
            self.add(name)

    def add(self, service: str) -> None:
        """Make room for the lines of one more service; those of one that was there before are still there."""
        if service not in self._recent:
            settings = self._settings
            self._recent[service] = RecentLines()
            self._splitters[service] = LineSplitter()
            self._files[service] = RotatingFile(self.path(service), settings.limit_bytes, settings.keep)
            self._prefixes[service] = f"{service:<{self._width}} | "

    @property
    def services(self) -> list[str]:
        """Return everybody who writes here."""
        return list(self._recent)

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
        recent = (self._recent[name].after(number) for name in services or self._recent)
        return list(merge(*recent, key=attrgetter("number")))

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
        recent, prefix = self._recent[service], self._prefixes[service]
        for text in lines:
            self.last_number += 1
            recent.add(Line(self.last_number, service, time_ms, text))
        self._files[service].write("".join([f"{written} {text}\n" for text in lines]).encode())
        self._terminal.write("".join([f"{prefix}{text}\n" for text in lines]).encode())
        self.changed.notify()


class _Stream(io.TextIOBase, TextIO):
    """The write end of the supervisor's own lines."""

    def __init__(self, logs: LogCollector) -> None:
        self._logs = logs

    def write(self, text: str) -> int:
        """Take text that need not end at a line's end."""
        self._logs.feed(SUPERVISOR, text.encode(errors="replace"))
        return len(text)
