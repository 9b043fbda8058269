"""The disk of the data directory."""

import shutil
from pathlib import Path

from meshkit.metrics import RPC_METRICS, Registry
from services.metrics.host.disk_metrics import DISK_METRICS, show


def page(directory: Path) -> str:
    """Return a page with the disk of a directory."""
    registry = Registry((*RPC_METRICS, *DISK_METRICS))
    show(registry, directory)
    return registry.render().decode()


def test_size_and_what_is_free(tmp_path: Path) -> None:
    """They are the system's figures of the file system that the directory is on."""
    values = dict(line.split(" ") for line in page(tmp_path).splitlines() if line.startswith("feedmesh_disk_bytes{"))
    size = float(values['feedmesh_disk_bytes{part="size"}'])

    assert shutil.disk_usage(tmp_path).total == size
    assert 0 <= float(values['feedmesh_disk_bytes{part="free"}']) <= size


def test_no_directory_has_no_disk(tmp_path: Path) -> None:
    """Before the first start there is nothing to measure, and the page is whole all the same."""
    assert "feedmesh_disk_bytes{" not in page(tmp_path / "none")
