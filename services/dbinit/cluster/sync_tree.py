"""Flushing files and whole trees of them, so that they are there after a power failure too."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# A disk and its file system gather flushes that are under way together; one after the other each waits for the disk.
_FLUSHES_AT_ONCE = 16


def sync(path: Path) -> None:
    """Flush one file, or the names in one directory, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(root: Path) -> None:
    """Flush every file and directory below `root`, itself included."""
    paths = [root, *(path for path in root.rglob("*") if not path.is_symlink())]
    with ThreadPoolExecutor(_FLUSHES_AT_ONCE) as pool:
        list(pool.map(sync, paths))
