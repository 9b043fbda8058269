"""Snapshot files: two are kept, torn ones are told."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from devkit.chain.errors import SnapshotUnreadable
from devkit.chain.snapshots import Snapshots
from meshkit.errors import InvalidInput


def _fail(*_: object) -> None:
    raise OSError("the disk is full")


def _state(text: str) -> bytes:
    return gzip.compress(f'{{"blocks":[{{"header":{{"timestamp":"0x10","extra":"{text}"}}}}]}}'.encode())


def test_two_are_kept(tmp_path: Path) -> None:
    """The last two snapshots can be read, newest first, and no other file is left."""
    snapshots = Snapshots(tmp_path / "chain")
    for text in "abc":
        snapshots.write(_state(text))

    assert 0x10 == snapshots.unpack(snapshots.newest_first()[0]).timestamp_s
    found = [snapshots.unpack(path).path.read_text() for path in snapshots.newest_first()]
    snapshots.discard_unpacked()

    assert [gzip.decompress(_state(text)).decode() for text in "cb"] == found
    assert {"snapshot.json.gz", "snapshot.previous.json.gz"} == {path.name for path in (tmp_path / "chain").iterdir()}


@pytest.mark.parametrize("keep", [0, 1, 10, -9, -1])
def test_torn(tmp_path: Path, keep: int) -> None:
    """A file cut anywhere is refused, with its path in the error."""
    snapshots = Snapshots(tmp_path)
    snapshots.write(_state("a")[:keep])
    (path,) = snapshots.newest_first()

    with pytest.raises(SnapshotUnreadable) as refused:
        snapshots.unpack(path)

    assert str(path) in str(refused.value)


def test_flipped_bit(tmp_path: Path) -> None:
    """A damaged file is refused even though it has its full length."""
    snapshots = Snapshots(tmp_path)
    damaged = bytearray(_state("abcdefgh" * 50))
    damaged[len(damaged) // 2] ^= 1
    snapshots.write(bytes(damaged))

    with pytest.raises(SnapshotUnreadable):
        snapshots.unpack(snapshots.newest_first()[0])


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"blocks":[]', b'{"blocks":[]}', b'{"blocks":7}', b'{"blocks":[{}]}']
)
def test_not_a_state(tmp_path: Path, content: bytes) -> None:
    """Whole files that hold something else are refused too."""
    snapshots = Snapshots(tmp_path)
    snapshots.write(gzip.compress(content))

    with pytest.raises(SnapshotUnreadable):
        snapshots.unpack(snapshots.newest_first()[0])


def test_between_the_renames(tmp_path: Path) -> None:
    """A crash in the middle of writing leaves the snapshot before; half a new file does no harm."""
    snapshots = Snapshots(tmp_path)
    snapshots.write(_state("a"))
    (tmp_path / "snapshot.json.gz").rename(tmp_path / "snapshot.previous.json.gz")
    (tmp_path / "snapshot.json.gz.new").write_bytes(b"half")

    (path,) = Snapshots(tmp_path).newest_first()

    assert '"a"' in snapshots.unpack(path).path.read_text()
    snapshots.write(_state("b"))
    assert 2 == len(snapshots.newest_first())


def test_a_write_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk or a crash while a snapshot is written leaves the last one under its name, and the next succeeds."""
    snapshots = Snapshots(tmp_path)
    snapshots.write(_state("a"))
    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", _fail)
        with pytest.raises(OSError, match="full"):
            snapshots.write(_state("b"))

    newest = Snapshots(tmp_path).newest_first()[0]
    assert "snapshot.json.gz" == newest.name
    assert '"a"' in snapshots.unpack(newest).path.read_text()
    snapshots.write(_state("c"))
    texts = [snapshots.unpack(path).path.read_text() for path in snapshots.newest_first()]
    assert ['"c"' in texts[0], '"a"' in texts[1]] == [True, True]


def test_set_aside(tmp_path: Path) -> None:
    """An unusable snapshot is kept for inspection but not tried again."""
    snapshots = Snapshots(tmp_path)
    snapshots.write(b"torn")
    snapshots.set_aside(snapshots.newest_first()[0])

    assert [] == snapshots.newest_first()
    assert b"torn" == (tmp_path / "snapshot.json.gz.unusable").read_bytes()


def test_impossible_directory(tmp_path: Path) -> None:
    """A state directory that cannot be made is refused by the name of its option."""
    (tmp_path / "file").write_text("")

    with pytest.raises(InvalidInput, match="--state-dir"):
        Snapshots(tmp_path / "file" / "chain")
