"""Fixtures of all tests."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is no reason to fail: no time limit for an example.
settings.register_profile("feedmesh", deadline=None)
settings.load_profile("feedmesh")


@pytest.fixture(name="run_dir")
def _run_dir() -> Iterator[Path]:
    """Give a directory whose path is short enough for Unix sockets."""
    path = Path(tempfile.mkdtemp(prefix="fm", dir="/tmp"))
    yield path
    shutil.rmtree(path)
