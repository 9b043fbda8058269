"""Bytes cut into lines, and the last lines kept in memory."""

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile
from typing import Final

LINE_BYTES: Final = 16_384
_CUT: Final = b" [cut]"
_KEPT_LINES: Final = 2000
_KEPT_BYTES: Final = 1024 * 1024


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


class LineSplitter:
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


class RecentLines:
    """The last lines of one service, bounded in number and in size."""

    def __init__(self) -> None:
        self._lines: deque[Line] = deque()
        self._size = 0

    def add(self, line: Line) -> None:
        """Keep the line and forget the oldest ones beyond the bounds."""
        self._lines.append(line)
        self._size += len(line.text)
        while len(self._lines) > _KEPT_LINES or self._size > _KEPT_BYTES:
            self._size -= len(self._lines.popleft().text)

    def after(self, number: int) -> list[Line]:
        """Return the lines with a higher number, oldest first."""
        return list(takewhile(lambda line: line.number > number, reversed(self._lines)))[::-1]


def _text(line: bytes) -> str:
    if len(line) > LINE_BYTES:
        line = line[: LINE_BYTES - len(_CUT)] + _CUT
    return line.removesuffix(b"\r").decode(errors="replace")
