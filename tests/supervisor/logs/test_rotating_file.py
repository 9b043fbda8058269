"""Log files that are renamed when full."""

from pathlib import Path

from services.supervisor.logs.rotating_file import RotatingFile


def test_keeps_the_newest_files_within_the_limit(tmp_path: Path) -> None:
    """No file exceeds the limit, no more files than allowed exist, and read oldest first they are the newest text."""
    file = RotatingFile(tmp_path / "a.log", limit_bytes=100, keep=3)
    pieces = [b"%03d\n" % number for number in range(200)]
    for piece in pieces:
        file.write(piece)
    file.close()
    names = ["a.log.2", "a.log.1", "a.log"]
    contents = [(tmp_path / name).read_bytes() for name in names]

    assert sorted(names) == sorted(path.name for path in tmp_path.iterdir())
    assert all(len(content) <= 100 for content in contents)
    assert b"".join(pieces).endswith(b"".join(contents))
    assert 0 == file.lost_bytes


def test_goes_on_after_a_restart(tmp_path: Path) -> None:
    """A new process appends to the file that is there and counts what it holds."""
    for _ in range(2):
        file = RotatingFile(tmp_path / "a.log", limit_bytes=10, keep=2)
        file.write(b"123456\n")
        file.close()

    assert (b"123456\n", b"123456\n") == ((tmp_path / "a.log.1").read_bytes(), (tmp_path / "a.log").read_bytes())


def test_a_disk_that_takes_nothing_costs_only_the_text(tmp_path: Path) -> None:
    """Writing where it is impossible does not raise; the loss is counted and ends with its cause."""
    file = RotatingFile(tmp_path / "missing" / "a.log", limit_bytes=10, keep=2)
    file.write(b"lost\n")
    (tmp_path / "missing").mkdir()
    file.write(b"kept\n")
    file.close()

    assert (5, b"kept\n") == (file.lost_bytes, (tmp_path / "missing" / "a.log").read_bytes())
