"""Where anvil is looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from devkit.chain.binary import find_anvil
from devkit.chain.errors import AnvilMissing


def _program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_pinned_first(tmp_path: Path) -> None:
    """The checkout's own binary goes before the PATH."""
    pinned = _program(tmp_path / "node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil")
    _program(tmp_path / "bin/anvil")

    assert pinned == find_anvil(tmp_path, str(tmp_path / "bin"))


def test_path_next(tmp_path: Path) -> None:
    """Without it, or when it cannot be executed, the PATH serves."""
    on_path = _program(tmp_path / "bin/anvil")

    assert on_path == find_anvil(tmp_path, str(tmp_path / "bin"))
    _program(tmp_path / "node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil").chmod(0o644)
    assert on_path == find_anvil(tmp_path, str(tmp_path / "bin"))


def test_missing(tmp_path: Path) -> None:
    """Without either the error says where it was looked for and how to get it."""
    with pytest.raises(AnvilMissing) as missing:
        find_anvil(tmp_path, str(tmp_path / "bin"))

    assert str(tmp_path) in str(missing.value)
    assert "npm ci" in str(missing.value)
    assert "PATH" in str(missing.value)
