"""Fixtures of all tests."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import py_ecc  # noqa: F401  # a part of web3
import pytest
from hypothesis import settings

# py_ecc raises it a hundredfold when it is imported, and with that deep JSON ends the process in C code. No
# process of ours imports it, so the tests have the limit that these have.
sys.setrecursionlimit(1000)

# A busy machine is no reason to fail: no time limit for an example.
settings.register_profile("feedmesh", deadline=None)
settings.load_profile("feedmesh")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first: each is one worker's, and the others have the rest meanwhile."""
    items.sort(key=_seconds, reverse=True)


def _seconds(item: pytest.Item) -> float:
    marker = item.get_closest_marker("long")
    return float(marker.args[0]) if marker else 0.0


@pytest.fixture(name="run_dir")
def _run_dir() -> Iterator[Path]:
    """Give a directory whose path is short enough for Unix sockets."""
    path = Path(tempfile.mkdtemp(prefix="fm", dir="/tmp"))
    yield path
    shutil.rmtree(path)
