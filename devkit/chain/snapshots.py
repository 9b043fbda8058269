"""
The chain's state on disk: the last two snapshots, gzipped.

A file is either whole or not there under its name; gzip's own checksum tells a torn one. Names: `snapshot.json.gz`,
`snapshot.previous.json.gz`; what could not be used is kept as `*.unusable`.
"""

from __future__ import annotations

import gzip
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

import orjson

from devkit.chain.errors import SnapshotUnreadable
from meshkit import atomic_file
from meshkit.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Unpacked:
    """Hold where a snapshot's plain JSON is and the time of its last block."""

    path: Path
    timestamp_s: int


class Snapshots:
    """Keep snapshots in one directory, which is made if missing; raises `InvalidInput` if that cannot be."""

    def __init__(self, directory: Path) -> None:
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidInput("--state-dir", str(directory), f"a directory that can be made ({error})") from error
        if not os.access(directory, os.W_OK | os.X_OK):
            raise InvalidInput("--state-dir", str(directory), "a directory that this user can write to")
        self._directory = directory
        self._last = directory / "snapshot.json.gz"
        self._previous = directory / "snapshot.previous.json.gz"

    def newest_first(self) -> list[Path]:
        """Return the snapshots there are."""
        return [path for path in (self._last, self._previous) if path.exists()]

    def unpack(self, snapshot: Path) -> Unpacked:
        """Write a snapshot's plain JSON where anvil can load it; raises `SnapshotUnreadable`."""
        try:
            text = gzip.decompress(snapshot.read_bytes())
            headers = [block["header"] for block in orjson.loads(text)["blocks"]]
            timestamp_s = max(int(header["timestamp"], 16) for header in headers)
        except (OSError, EOFError, zlib.error, ValueError, TypeError, LookupError) as error:
            raise SnapshotUnreadable(snapshot, f"{type(error).__name__}: {error}") from error
        path = self._directory / "loading.json"
        path.write_bytes(text)
        return Unpacked(path, timestamp_s)

    def discard_unpacked(self) -> None:
        """Delete what `unpack` wrote."""
        (self._directory / "loading.json").unlink(missing_ok=True)

    def write(self, zipped: bytes) -> None:
        """Make this gzipped state the last snapshot, and the last one the previous."""
        if self._last.exists():
            # A second name, not a rename: at every moment there is a last one.
            self._previous.unlink(missing_ok=True)
            self._previous.hardlink_to(self._last)
        atomic_file.replace(self._last, zipped, 0o644)

    def set_aside(self, snapshot: Path) -> None:
        """Keep an unusable snapshot under another name, so that it is not tried again and can be looked at."""
        snapshot.replace(snapshot.with_name(snapshot.name + ".unusable"))
