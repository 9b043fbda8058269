"""
What would end the server right after its start, found before it is started and said in one line with a way out.

PostgreSQL itself would say it in the middle of a dozen lines, and again at each attempt. Used by the `postgres` command
as well, so it imports next to nothing.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from services.dbinit.cluster import control_file
from services.dbinit.cluster.control_file import Control, Damaged

# Four WAL files; recovery and the first checkpoint would end with a PANIC halfway.
ROOM_BYTES = 16 * 1024 * 1024
_ROOM_FILES = 100
_MB = 1024 * 1024
_RESTORE = (
    "restore the data directory from a backup; or, if the nodes may begin anew (their keys are kept beside it, what "
    "they know of past rounds is not), move it away, and the next start makes a new one"
)


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why the server cannot run: where, why, what to do; and the exit code that says so to programs (sysexits.h)."""

    path: Path
    why: str
    way_out: str
    exit_code: int

    def __str__(self) -> str:
        return f"{self.path}: {self.why}. Way out: {self.way_out}"


def obstacle(data: Path) -> Obstacle | None:
    """Return what stands in the way of a server on this cluster, or None. Raises OSError."""
    return _disk(data) or _disk(data / "pg_wal") or _damage(data)


def room(path: Path, free_bytes: int, free_files: int | None) -> Obstacle | None:
    """Return the obstacle of a disk with so much free, None for the files if it does not count them."""
    if free_bytes < ROOM_BYTES:
        why = f"the disk is full: {free_bytes // _MB} MB are free, the server needs {ROOM_BYTES // _MB} MB to start"
    elif free_files is not None and free_files < _ROOM_FILES:
        why = f"the disk is full: it can take {free_files} more files, the server needs {_ROOM_FILES} to start"
    else:
        return None
    way_out = "free some space (never by deleting files of the data directory) and start again; nothing is lost"
    return Obstacle(path, why, way_out, os.EX_IOERR)


def _disk(path: Path) -> Obstacle | None:
    if not path.is_dir():
        return None  # Said by _damage, or by the server.
    disk = os.statvfs(path)
    return room(path, disk.f_bavail * disk.f_frsize, disk.f_favail if disk.f_files else None)


def _damage(data: Path) -> Obstacle | None:
    path = data / "global/pg_control"
    try:
        found = control_file.parse(path.read_bytes())
        for name in found.needed_segments:
            path = data / "pg_wal" / name
            _check_segment(found, path)
    except FileNotFoundError:
        return Obstacle(path, "is missing, and without it the server cannot start", _RESTORE, os.EX_DATAERR)
    except Damaged as damage:
        return Obstacle(path, str(damage), _RESTORE, os.EX_DATAERR)
    return None


def _check_segment(found: Control, path: Path) -> None:
    with path.open("rb") as file:
        control_file.check_segment(found, file.read(36).ljust(36, b"\0"), path.stat().st_size)
