"""Flushing trees of files."""

from pathlib import Path

from services.dbinit import durable


def test_tree_with_links(tmp_path: Path) -> None:
    """A tree with a dangling link can be flushed."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/file").write_text("text")
    (tmp_path / "dangling").symlink_to("nowhere")

    durable.sync_tree(tmp_path)
