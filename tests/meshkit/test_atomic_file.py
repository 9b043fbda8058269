"""Files that are replaced at once."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from meshkit.atomic_file import create, replace, temporary

# Each is called in its turn while a file is written; a writer killed at the call stops before it.
_STEPS = ("fcntl.flock", "os.fchmod", "os.fdopen", "os.fsync", "{publish}")
_PUBLISH: dict[Callable[..., None], str] = {replace: "pathlib.Path.replace", create: "os.link"}
_KILLED = """
import fcntl, os, pathlib, signal
from meshkit import atomic_file
{step} = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
atomic_file.{write}(pathlib.Path({path!r}), "torn", 0o600)
"""


def _killed_at(step: str, write: Callable[..., None], path: Path) -> int:
    """Let another process write until it is about to take a step, where it is killed; return how it ended."""
    step = step.format(publish=_PUBLISH[write])
    program = _KILLED.format(step=step, write=write.__name__, path=str(path))
    return subprocess.run([sys.executable, "-c", program], check=False).returncode


@pytest.mark.parametrize("step", _STEPS)
def test_a_killed_writer_leaves_the_old_content(step: str, tmp_path: Path) -> None:
    """Wherever a writer is killed, the old content is there whole, and the next writer needs no help."""
    path = tmp_path / "file"
    replace(path, "old", 0o600)

    assert -signal.SIGKILL == _killed_at(step, replace, path)
    assert "old" == path.read_text()

    replace(path, "new", 0o600)
    assert {"file": "new"} == {found.name: found.read_text() for found in tmp_path.iterdir()}


@pytest.mark.parametrize("step", _STEPS)
def test_a_killed_maker_leaves_no_file(step: str, tmp_path: Path) -> None:
    """Wherever a maker is killed, there is no file under the name, and the next maker succeeds."""
    path = tmp_path / "file"

    assert -signal.SIGKILL == _killed_at(step, create, path)
    assert not path.exists()

    create(path, "new", 0o600)
    assert {"file": "new"} == {found.name: found.read_text() for found in tmp_path.iterdir()}


def test_a_maker_killed_between_its_two_names(tmp_path: Path) -> None:
    """Where the temporary name still stands for the file itself, the next writer does not write into the file."""
    path = tmp_path / "file"
    path.write_text("made")
    os.link(path, temporary(path))
    with pytest.raises(FileExistsError):
        create(path, "another", 0o600)
    assert "made" == path.read_text()

    os.link(path, temporary(path))
    with path.open() as reading:
        replace(path, "new", 0o600)
        assert "made" == reading.read()
    assert {"file": "new"} == {found.name: found.read_text() for found in tmp_path.iterdir()}


def test_create_leaves_what_is_there(tmp_path: Path) -> None:
    """A file that exists is not replaced, and nothing is left beside it."""
    path = tmp_path / "file"
    create(path, b"first", 0o600)
    with pytest.raises(FileExistsError):
        create(path, b"second", 0o600)

    assert {"file": b"first"} == {found.name: found.read_bytes() for found in tmp_path.iterdir()}


@pytest.mark.parametrize("umask", [0o000, 0o077])
@pytest.mark.parametrize("write", [replace, create])
def test_mode_is_as_asked(write: Callable[..., None], umask: int, tmp_path: Path) -> None:
    """The permissions do not depend on the umask, nor on those of a file left by a killed writer."""
    path = tmp_path / "file"
    temporary(path).write_text("left")
    temporary(path).chmod(0o777)
    before = os.umask(umask)
    try:
        write(path, "text", 0o644)
    finally:
        os.umask(before)

    assert 0o644 == path.stat().st_mode & 0o777


def test_what_was_left_is_not_written_to(tmp_path: Path) -> None:
    """Whoever has a killed writer's file open does not see what the next one writes."""
    path = tmp_path / "file"
    temporary(path).write_text("left")
    with temporary(path).open() as reading:
        replace(path, "a secret", 0o600)
        assert "left" == reading.read()


def test_replaces_a_link_not_its_target(tmp_path: Path) -> None:
    """A link in the way is replaced; what it pointed to keeps its content."""
    (tmp_path / "other").write_text("kept")
    (tmp_path / "file").symlink_to(tmp_path / "other")
    replace(tmp_path / "file", "text", 0o600)

    assert ("text", "kept") == ((tmp_path / "file").read_text(), (tmp_path / "other").read_text())


def test_failure_leaves_nothing(tmp_path: Path) -> None:
    """A write that cannot end leaves no temporary file behind."""
    (tmp_path / "file").mkdir()
    with pytest.raises(OSError, match="directory"):
        replace(tmp_path / "file", "text", 0o600)

    assert ["file"] == [path.name for path in tmp_path.iterdir()]


@pytest.mark.parametrize(("durable", "flushed"), [(True, ["file", "directory"]), (False, [])])
def test_what_is_flushed(durable: bool, flushed: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A durable write flushes the content before the name, and the name before it returns; the other nothing."""
    seen: list[str] = []
    directory = tmp_path.stat().st_ino

    def fsync(descriptor: int) -> None:
        is_directory = os.fstat(descriptor).st_ino == directory
        assert is_directory == (tmp_path / "file").exists()
        seen.append("directory" if is_directory else "file")

    monkeypatch.setattr(os, "fsync", fsync)
    replace(tmp_path / "file", "text", 0o600, durable=durable)

    assert flushed == seen


def test_many_writers_and_a_reader(tmp_path: Path) -> None:
    """With several writers at once every one succeeds, and a reader never sees a part or a mixture."""
    path = tmp_path / "file"
    contents = [letter * 200_000 for letter in "abcd"]
    replace(path, contents[0], 0o600)
    failures: list[BaseException] = []

    def write(content: str) -> None:
        try:
            for _ in range(30):
                replace(path, content, 0o600, durable=False)
        except BaseException as error:
            failures.append(error)
            raise

    writers = [threading.Thread(target=write, args=(content,)) for content in contents]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert path.read_text() in contents
    for writer in writers:
        writer.join()

    assert [] == failures
    assert ["file"] == [found.name for found in tmp_path.iterdir()]
