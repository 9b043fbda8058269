"""Directories that only their owner may enter."""

from pathlib import Path

_MODE = 0o700
FILE_MODE = 0o600


def make(path: Path) -> None:
    """Make a directory and its parents; the directory itself is closed to others, also if it existed."""
    path.mkdir(mode=_MODE, parents=True, exist_ok=True)
    path.chmod(_MODE)
