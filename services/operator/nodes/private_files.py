"""Files that only their owner may read, written so that a reader sees the old content or the new, never a part."""

import os
import tempfile
from pathlib import Path

_FILE_MODE = 0o600
_DIRECTORY_MODE = 0o700


def make_directory(path: Path) -> None:
    """Make a directory and its parents; the directory itself is closed to others, also if it existed."""
    path.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
    path.chmod(_DIRECTORY_MODE)


def write(path: Path, content: str | bytes) -> bool:
    """Replace the file's content at once, mode 0600; return False and write nothing if it has that content."""
    data = content.encode() if isinstance(content, str) else content
    if path.exists() and path.read_bytes() == data:
        path.chmod(_FILE_MODE)
        return False
    temporary = _write_beside(path, data)
    temporary.replace(path)
    _sync_directory(path.parent)
    return True


def create(path: Path, content: str | bytes) -> None:
    """Write a file that must not exist yet; raises FileExistsError if it does, and leaves it as it is."""
    temporary = _write_beside(path, content.encode() if isinstance(content, str) else content)
    try:
        # A link never replaces, a rename would.
        os.link(temporary, path)
    finally:
        temporary.unlink()
    _sync_directory(path.parent)


def _write_beside(path: Path, data: bytes) -> Path:
    # mkstemp makes the file with mode 0600.
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return Path(name)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
