"""Directories that only their owner may enter."""

import errno
import os
from pathlib import Path

import pytest

from meshkit import private_directory


def test_it_is_made_closed_whatever_the_umask(tmp_path: Path) -> None:
    """A new directory is 0700, and one that was open is closed."""
    before = os.umask(0)
    try:
        private_directory.make(tmp_path / "a" / "b")
    finally:
        os.umask(before)
    (tmp_path / "open").mkdir(mode=0o755)
    private_directory.make(tmp_path / "open")

    assert {0o700} == {path.stat().st_mode & 0o777 for path in (tmp_path / "a" / "b", tmp_path / "open")}


@pytest.mark.parametrize(
    ("mode", "after", "was_open"), [(0o600, 0o600, False), (0o400, 0o400, False), (0o664, 0o600, True)]
)
def test_closing_takes_the_rights_of_others_alone(tmp_path: Path, mode: int, after: int, was_open: bool) -> None:
    """The owner's rights stay as they are, and it is told whether others had any."""
    path = tmp_path / "file"
    path.touch()
    path.chmod(mode)

    assert was_open is private_directory.close(path)
    assert after == path.stat().st_mode & 0o777


@pytest.mark.parametrize("number", [errno.EROFS, errno.EPERM])
def test_a_disk_that_nobody_can_write_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """On such a disk an open file is told of; where only the right is missing that is an error."""
    path = tmp_path / "file"
    path.touch(mode=0o644)
    path.chmod(0o644)

    def refuse(path: Path, mode: int) -> None:
        raise OSError(number, os.strerror(number), str(path))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "chmod", refuse)
        if number == errno.EROFS:
            assert private_directory.close(path)
        else:
            with pytest.raises(PermissionError):
                private_directory.close(path)
