"""
The chain's state on disk: the last two snapshots, gzipped, and the height the chain had reached.

A file is either whole or not there under its name (temporary file, fsync, rename); gzip's own checksum tells a torn
one. Names: `snapshot.json.gz`, `snapshot.previous.json.gz`, `height`; what could not be used is kept as `*.unusable`.
"""

from __future__ import annotations

import gzip
import os
import zlib
from pathlib import Path

import orjson

from devkit.chain.errors import SnapshotUnreadable
from meshkit.errors import InvalidInput


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
        self._height = directory / "height"

    def newest_first(self) -> list[Path]:
        """Return the snapshots there are."""
        return [path for path in (self._last, self._previous) if path.exists()]

    def unpack(self, snapshot: Path) -> Path:
        """Write a snapshot's plain JSON where anvil can load it and return that path; raises `SnapshotUnreadable`."""
        try:
            text = gzip.decompress(snapshot.read_bytes())
            state = orjson.loads(text)
        except (OSError, EOFError, zlib.error, orjson.JSONDecodeError) as error:
            raise SnapshotUnreadable(snapshot, str(error)) from error
        missing = {"accounts", "blocks", "transactions"} - (state.keys() if isinstance(state, dict) else set())
        if missing:
            raise SnapshotUnreadable(snapshot, f"it lacks {', '.join(sorted(missing))}")
        path = self._directory / "loading.json"
        path.write_bytes(text)
        return path

    def discard_unpacked(self) -> None:
        """Delete what `unpack` wrote."""
        (self._directory / "loading.json").unlink(missing_ok=True)

    def write(self, zipped: bytes) -> None:
        """Make this gzipped state the last snapshot, and the last one the previous."""
        temporary = self._directory / "snapshot.json.gz.new"
        with temporary.open("wb") as file:
            file.write(zipped)
            file.flush()
            os.fsync(file.fileno())
        # Between these two renames only the previous one exists, which is what then is loaded.
        if self._last.exists():
            self._last.replace(self._previous)
        temporary.replace(self._last)
        self._sync_directory()

    def set_aside(self, snapshot: Path) -> None:
        """Keep an unusable snapshot under another name, so that it is not tried again and can be looked at."""
        snapshot.replace(snapshot.with_name(snapshot.name + ".unusable"))

    def note_height(self, height: int) -> None:
        """Remember the highest block seen; not synced, since it matters only when processes die, not machines."""
        temporary = self._height.with_name("height.new")
        temporary.write_text(f"{height}\n")
        temporary.replace(self._height)

    def height(self) -> int:
        """Return the highest block seen, 0 if unknown."""
        try:
            return int(self._height.read_text())
        except (FileNotFoundError, ValueError):
            return 0

    def _sync_directory(self) -> None:
        descriptor = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
