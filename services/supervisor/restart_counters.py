"""The restart counters as files, which monitoring outside the mesh reads."""

import shutil
from contextlib import suppress
from pathlib import Path

from meshkit import atomic_file
from meshkit.log import get_logger

_log = get_logger(__name__)


class RestartCounters:
    """
    `<directory>/<name>/restart-count` (a number) and `last-restart` (seconds since the Unix epoch, 0: never).

    The directory may have what others put there, which stays.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._names: set[str] = set()

    def create(self, name: str) -> None:
        """Begin at no restart."""
        self.write(name, 0, 0)

    def write(self, name: str, restarts: int, last_restart_ms: int) -> None:
        """
        Replace both values; a reader sees the old or the new one, never half of it.

        A directory that does not take them (full, read-only) is logged: the mesh does not depend on them.
        """
        directory = self._directory / name
        self._names.add(name)
        try:
            directory.mkdir(mode=0o750, parents=True, exist_ok=True)
            atomic_file.replace(directory / "restart-count", f"{restarts}\n", 0o640, durable=False)
            atomic_file.replace(directory / "last-restart", f"{last_restart_ms // 1000}\n", 0o640, durable=False)
        except OSError as error:
            _log.warning("restart_counters_not_written", directory=str(directory), error=error.strerror)

    def forget(self, name: str) -> None:
        """Remove those of one service."""
        shutil.rmtree(self._directory / name, ignore_errors=True)
        self._names.discard(name)

    def remove(self) -> None:
        """Remove every file of them, and the directory if nothing else is in it."""
        for name in [*self._names]:
            self.forget(name)
        with suppress(OSError):
            self._directory.rmdir()
