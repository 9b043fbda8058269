"""Finding the programs."""

from pathlib import Path

import pytest

from services.dbinit.cluster import binaries
from services.dbinit.errors import ProgramsNotFound


def fake_programs(directory: Path, postgres: str) -> Path:
    """Make a directory with an initdb and this shell script as postgres."""
    directory.mkdir()
    for name, text in (("initdb", "exit 0"), ("postgres", postgres)):
        (directory / name).write_text(f"#!/bin/sh\n{text}\n")
        (directory / name).chmod(0o755)
    return directory


def test_machine_has_17() -> None:
    """What is found on this machine is version 17, with its minor version."""
    found = binaries.find(None)

    assert found.version.startswith("17.")
    assert found.initdb.is_file()


@pytest.mark.parametrize(
    ("script", "phrase"),
    [
        ("echo 'postgres (PostgreSQL) 16.4'", "is version 16.4"),
        ("echo 'postgres (PostgreSQL) 18beta1'", "is version 18beta1"),
        ("echo 'something else'", "unknown version"),
        ("echo 'libpq.so.5: cannot open' >&2; exit 127", "libpq.so.5: cannot open"),
    ],
)
def test_unusable_programs(script: str, phrase: str, tmp_path: Path) -> None:
    """A configured directory without PostgreSQL 17 is refused with what it has and how to get 17."""
    bin_dir = fake_programs(tmp_path / "bin", script)

    with pytest.raises(ProgramsNotFound) as caught:
        binaries.find(bin_dir)
    assert str(bin_dir) in str(caught.value)
    assert phrase in str(caught.value)
    assert "install PostgreSQL 17" in str(caught.value)


def test_missing_programs(tmp_path: Path) -> None:
    """A configured directory that is empty is refused, though the machine has PostgreSQL 17 elsewhere."""
    with pytest.raises(ProgramsNotFound, match="has no postgres"):
        binaries.find(tmp_path)


def test_path_is_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A postgres that the PATH only links to is found where it really lies."""
    real = fake_programs(tmp_path / "real", "echo 'postgres (PostgreSQL) 17.3 (Debian 17.3-1)'")
    (tmp_path / "path").mkdir()
    (tmp_path / "path/postgres").symlink_to(real / "postgres")
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}:/usr/bin:/bin")
    monkeypatch.setattr(binaries, "_SYSTEM", ())
    monkeypatch.setattr(binaries, "_CHECKOUT", tmp_path)

    assert binaries.Programs(real, "17.3") == binaries.find(None)
