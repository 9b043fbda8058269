"""Files that are whole or absent."""

import os
from pathlib import Path

import pytest

from services.dbinit import durable


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_mode_is_as_asked(umask: int, tmp_path: Path) -> None:
    """The permissions do not depend on the umask."""
    before = os.umask(umask)
    try:
        durable.write(tmp_path / "file", "text", 0o644)
    finally:
        os.umask(before)

    assert 0o644 == (tmp_path / "file").stat().st_mode & 0o777


def test_replaces_a_link_not_its_target(tmp_path: Path) -> None:
    """A link in the way is replaced; what it pointed to keeps its content."""
    (tmp_path / "other").write_text("kept")
    (tmp_path / "file").symlink_to(tmp_path / "other")
    durable.write(tmp_path / "file", "text", 0o600)

    assert ("text", "kept") == ((tmp_path / "file").read_text(), (tmp_path / "other").read_text())


def test_failure_leaves_nothing(tmp_path: Path) -> None:
    """A write that cannot end leaves no temporary file behind."""
    (tmp_path / "file").mkdir()
    with pytest.raises(OSError, match="directory"):
        durable.write(tmp_path / "file", "text", 0o600)

    assert ["file"] == [path.name for path in tmp_path.iterdir()]


def test_tree_with_links(tmp_path: Path) -> None:
    """A tree with a dangling link can be flushed."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/file").write_text("text")
    (tmp_path / "dangling").symlink_to("nowhere")

    durable.sync_tree(tmp_path)
