"""Directories that only their owner may enter, and files that only their owner may read."""

import errno
import stat
from pathlib import Path

_MODE = 0o700
FILE_MODE = 0o600
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def make(path: Path) -> None:
    """Make a directory and its parents; the directory itself is closed to others, also if it existed."""
    path.mkdir(mode=_MODE, parents=True, exist_ok=True)
    close(path)


def close(path: Path) -> bool:
    """
    Close a directory or file to everybody but its owner; return whether it was open.

    On a disk that nobody can write it stays as it is, since whoever mounted it decided. Raises OSError.
    """
    found = stat.S_IMODE(path.stat().st_mode)
    if not found & _OTHERS:
        return False
    try:
        path.chmod(found & ~_OTHERS)
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
    return True
