"""
Locks on directories of keys: one mesh at a time uses an identity, and one writer at a time changes it.

The lock is on the directory itself, so it works on a disk that nobody can write, and ends with its holder.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chainlink.errors import SecretsInUse, UnreadableKeyFile


@contextmanager
def waiting_lock(directory: Path) -> Iterator[None]:
    """Hold a directory locked, after whoever holds it now; raises UnreadableKeyFile if it cannot be opened."""
    descriptor = _open(directory)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def sole_use(directory: Path) -> Iterator[None]:
    """
    Hold a directory locked as its only user.

    Raises:
        SecretsInUse: when somebody holds it. Two meshes with the same keys would speak against each other.
        UnreadableKeyFile: when it cannot be opened.
    """
    descriptor = _open(directory)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SecretsInUse(directory) from None
        yield
    finally:
        os.close(descriptor)


def _open(directory: Path) -> int:
    try:
        return os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise UnreadableKeyFile(directory, f"cannot be entered: {error.strerror}") from error
