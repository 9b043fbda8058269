"""How full the disk of the data directory is."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psutil

from meshkit.metrics import Metric, Registry, Sample

DISK_METRICS: Final = (
    Metric(
        "feedmesh_disk_bytes",
        "gauge",
        "The disk of solution.mesh.dataDir: its size, and what is free for who is not root; absent without the "
        "directory.",
        ("part",),
        derived=True,
    ),
)


def show(registry: Registry, directory: Path) -> None:
    """Show the disk with each rendering."""

    def sizes() -> Iterator[Sample]:
        if directory.exists():
            found = psutil.disk_usage(str(directory))
            yield ("size",), found.total
            yield ("free",), found.free

    registry.derive("feedmesh_disk_bytes", sizes)
