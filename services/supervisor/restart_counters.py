"""The restart counters as files, which monitoring outside the mesh reads."""

import shutil

from meshkit import atomic_file
from meshkit.log import get_logger
from meshkit.paths import RunDir

_log = get_logger(__name__)


class RestartCounters:
    """`<run>/service/<name>/restart-count` (a number) and `last-restart` (seconds since the Unix epoch, 0: never)."""

    def __init__(self, run_dir: RunDir) -> None:
        self._run_dir = run_dir

    def create(self, name: str) -> None:
        """Begin at no restart."""
        self.write(name, 0, 0)

    def write(self, name: str, restarts: int, last_restart_ms: int) -> None:
        """
        Replace both values; a reader sees the old or the new one, never half of it.

        A directory that does not take them (full, read-only) is logged: the mesh does not depend on them.
        """
        directory = self._run_dir.service(name)
        try:
            directory.mkdir(mode=0o750, parents=True, exist_ok=True)
            atomic_file.replace(directory / "restart-count", f"{restarts}\n", 0o640, durable=False)
            atomic_file.replace(directory / "last-restart", f"{last_restart_ms // 1000}\n", 0o640, durable=False)
        except OSError as error:
            _log.warning("restart_counters_not_written", directory=str(directory), error=error.strerror)

    def forget(self, name: str) -> None:
        """Remove those of one service."""
        shutil.rmtree(self._run_dir.service(name), ignore_errors=True)

    def remove(self) -> None:
        """Remove every file and directory of them."""
        shutil.rmtree(self._run_dir.service("x").parent, ignore_errors=True)
