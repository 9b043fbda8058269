"""Fixtures of the database service's tests."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from services.dbinit import binaries
from services.dbinit.config import Settings
from services.dbinit.provision import provision
from tests.dbinit.server import Server, in_thread, open_directory, settings_in

MakeSettings = Callable[..., Settings]

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture(name="directory")
def _directory() -> Iterator[Path]:
    """Give a short directory that every user may enter."""
    path = open_directory()
    yield path
    shutil.rmtree(path)


@pytest.fixture(name="make_settings")
def _make_settings(directory: Path) -> MakeSettings:
    """Give a maker of settings below a fresh directory."""

    def make(**changes: Any) -> Settings:
        return settings_in(directory, **changes)

    return make


def link_or_copy(source: str, target: str) -> None:
    """Make the file appear at the target, by a hard link where that is possible."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


@pytest.fixture(name="programs_copy")
def _programs_copy(directory: Path) -> Path:
    """Give a bin directory of PostgreSQL 17 below directories whose modes a test may change."""
    source = binaries.find(None).bin_dir.parent
    if not (source / "share").is_dir():
        pytest.skip(f"{source} is not one directory that can be copied")
    shutil.copytree(source, directory / "programs", symlinks=True, copy_function=link_or_copy)
    return directory / "programs/bin"


@pytest.fixture(name="server", scope="package")
def _server() -> Iterator[Server]:
    """Give a running server with the databases of five nodes, shared by all tests that leave it as it was."""
    server = Server(settings_in(open_directory()))
    try:
        server.start()
        in_thread(provision(server.settings))
        yield server
    finally:
        server.remove()


@pytest.fixture(name="spare", scope="package")
def _spare() -> Iterator[Server]:
    """Give a cluster whose server does not run; a test starts and stops it."""
    server = Server(settings_in(open_directory()))
    try:
        yield server
    finally:
        server.remove()
