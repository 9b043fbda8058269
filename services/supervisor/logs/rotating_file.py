"""A log file that is renamed when it is full."""

import os
from pathlib import Path


class RotatingFile:
    """
    `name.log`, then `name.log.1` … `name.log.<keep - 1>`, the oldest last; each at most `limit_bytes` long.

    A disk that does not take the text (full, read-only) costs that text, never the caller: see `lost_bytes`.
    """

    def __init__(self, path: Path, limit_bytes: int, keep: int) -> None:
        self._path = path
        self._limit_bytes = limit_bytes
        self._keep = keep
        self._descriptor = -1
        self._size = 0
        self.lost_bytes = 0

    def write(self, text: bytes) -> None:
        """Append text, in a new file if this one would grow past the limit."""
        try:
            if self._descriptor < 0:
                self._open()
            if self._size and self._size + len(text) > self._limit_bytes:
                self._rotate()
            written = os.write(self._descriptor, text)
        except OSError:
            written = 0
        self._size += written
        self.lost_bytes += len(text) - written

    def paths(self) -> list[Path]:
        """Return the files that are there, the latest first."""
        return [path for path in map(self._numbered, range(self._keep)) if path.exists()]

    def close(self) -> None:
        """Close the file; a later write opens it again."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self) -> None:
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        self._size = os.fstat(self._descriptor).st_size

    def _rotate(self) -> None:
        self.close()
        for number in range(self._keep - 1, 0, -1):
            older = self._numbered(number - 1)
            if older.exists():
                older.replace(self._numbered(number))
        if self._keep == 1:
            self._path.unlink(missing_ok=True)
        self._open()

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}") if number else self._path
