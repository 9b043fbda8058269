"""Flushing trees of files."""

from pathlib import Path

from services.dbinit.cluster import sync_tree


def test_tree_with_links(tmp_path: Path) -> None:
    """A tree with a dangling link can be flushed."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/file").write_text("text")
    (tmp_path / "dangling").symlink_to("nowhere")

    sync_tree.sync_tree(tmp_path)
