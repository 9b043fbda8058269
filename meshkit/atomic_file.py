"""Files that are replaced at once: a reader, and whoever starts after a crash, finds the old content or the new."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path


def replace(path: Path, content: str | bytes, mode: int, *, durable: bool = True) -> None:
    """
    Replace a file by this content, or make it, with these permissions whatever the umask.

    What a killed writer left beside it is used up by the next; writers of one file wait for each other. With `durable`
    it holds after a power failure too, once this returns. Raises OSError, and leaves the old file then.
    """
    _write(path, content, mode, lambda written: written.replace(path), durable)


def create(path: Path, content: str | bytes, mode: int, *, durable: bool = True) -> None:
    """Make a file as `replace` does; one that is there stays as it is, and FileExistsError tells so."""
    # A link never replaces, a rename would. The writer removes its own name for the file.
    _write(path, content, mode, lambda written: os.link(written, path), durable)


def sync_directory(path: Path) -> None:
    """Flush the names in a directory to the disk: only then a rename in it outlives a power failure."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def temporary(path: Path) -> Path:
    """Return where a file's next content is written; it is there only while it is, or if the writer was killed."""
    return path.with_name(f".{path.name}.new")


def _write(path: Path, content: str | bytes, mode: int, publish: Callable[[Path], object], durable: bool) -> None:
    new = temporary(path)
    descriptor = _open_locked(new)
    try:
        os.fchmod(descriptor, mode)
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        if durable:
            os.fsync(descriptor)
        publish(new)
    finally:
        if _is_named(new, descriptor):
            new.unlink()
        os.close(descriptor)
    if durable:
        sync_directory(path.parent)


def _open_locked(new: Path) -> int:
    """Make the temporary file, for one writer alone: its lock goes with the process that holds it."""
    while True:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # Whoever held the lock before has given the file its name, or removed it.
            if _is_named(new, descriptor):
                if os.fstat(descriptor).st_size == 0:
                    return descriptor
                # A writer was killed. Somebody may read the file by another name, so it is not written to again.
                new.unlink()
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is_named(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(follow_symlinks=False), os.fstat(descriptor))
    except FileNotFoundError:
        return False
