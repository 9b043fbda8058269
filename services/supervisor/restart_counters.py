"""The restart counters as files, which monitoring outside the mesh reads."""

import shutil
from pathlib import Path

from meshkit.paths import RunDir


class RestartCounters:
    """`<run>/service/<name>/restart-count` (a number) and `last-restart` (seconds since the Unix epoch, 0: never)."""

    def __init__(self, run_dir: RunDir) -> None:
        self._run_dir = run_dir

    def create(self, name: str) -> None:
        """Begin at no restart."""
        self.write(name, 0, 0)

    def write(self, name: str, restarts: int, last_restart_ms: int) -> None:
        """Replace both values; a reader sees the old or the new one, never half of it."""
        directory = self._run_dir.service(name)
        directory.mkdir(mode=0o750, parents=True, exist_ok=True)
        _replace(directory / "restart-count", str(restarts))
        _replace(directory / "last-restart", str(last_restart_ms // 1000))

    def forget(self, name: str) -> None:
        """Remove those of one service."""
        shutil.rmtree(self._run_dir.service(name), ignore_errors=True)

    def remove(self) -> None:
        """Remove every file and directory of them."""
        shutil.rmtree(self._run_dir.service("x").parent, ignore_errors=True)


def _replace(path: Path, text: str) -> None:
    new = path.with_name(f".{path.name}")
    new.write_text(f"{text}\n")
    new.replace(path)
