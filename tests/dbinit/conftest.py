"""Fixtures of the database service's tests."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from services.dbinit.cluster import binaries
from services.dbinit.config import Settings
from services.dbinit.databases.provision import provision
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


@pytest.fixture(name="restored")
def _restored(spare: Server) -> Iterator[Path]:
    """Give the directory of a stopped cluster; a file that the test changed or removed is put back."""
    data = spare.settings.place.data
    paths = [data / "global/pg_control", *(path for path in (data / "pg_wal").iterdir() if path.is_file())]
    before = {path: path.read_bytes() for path in paths}
    yield data
    for path, content in before.items():
        owner = data.stat()
        path.write_bytes(content)
        os.chown(path, owner.st_uid, owner.st_gid)


@pytest.fixture(name="small_disk")
def _small_disk(directory: Path) -> Iterator[Path]:
    """Give a file system with 110 MB."""
    disk = directory / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=110m,mode=755", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"this container may not mount: {mounted.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)
