"""One supervisor for each run directory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from meshkit.errors import FailedPrecondition
from meshkit.paths import RunDir
from meshkit.process.own_directory import DirectoryNotOurs
from services.supervisor.errors import AlreadyRunning
from services.supervisor.run_dir_lock import RunDirLock

_TAKE = """
import os, sys
from pathlib import Path
from meshkit.process.own_directory import DirectoryNotOurs
from meshkit.paths import RunDir
from services.supervisor.run_dir_lock import RunDirLock
lock = RunDirLock(RunDir(Path(sys.argv[1]))).__enter__()
os.kill(os.getpid(), 9)
"""


def test_a_second_one_is_refused_with_the_pid_of_the_first(run_dir: Path) -> None:
    """The holder keeps the lock and is named."""
    with RunDirLock(RunDir(run_dir)), pytest.raises(AlreadyRunning) as caught, RunDirLock(RunDir(run_dir)):
        pass

    assert (run_dir, os.getpid()) == (caught.value.run_dir, caught.value.pid)
    assert [] == list(run_dir.iterdir())


def test_a_directory_it_made_is_removed_with_all_in_it(run_dir: Path) -> None:
    """What services left behind goes with the directory."""
    path = run_dir / "deep" / "run"
    with RunDirLock(RunDir(path)):
        (path / "left-by-a-service").touch()

        assert 0o750 == path.stat().st_mode & 0o777

    assert not path.exists()


def test_a_directory_that_was_there_keeps_what_is_not_ours(run_dir: Path) -> None:
    """Only the named files and the lock go, before the start and at the end."""
    stale, foreign = run_dir / "a.sock", run_dir / "notes"
    stale.touch()
    foreign.touch()
    with RunDirLock(RunDir(run_dir), [stale]):
        assert not stale.exists()

        stale.touch()

    assert [foreign] == list(run_dir.iterdir())


def test_a_killed_one_leaves_no_obstacle(run_dir: Path) -> None:
    """Its lock is free at once, and that it made the directory is remembered."""
    path = run_dir / "run"
    subprocess.run([sys.executable, "-c", _TAKE, str(path)])

    assert (path / "supervisor.lock").exists()

    with RunDirLock(RunDir(path)) as lock:
        assert lock.took_over
    assert not path.exists()

    with RunDirLock(RunDir(path)) as lock:
        assert not lock.took_over


def test_a_directory_that_cannot_be_used_is_named(run_dir: Path) -> None:
    """The error carries the setting and the path."""
    (run_dir / "file").touch()
    with (
        pytest.raises(FailedPrecondition, match=r"solution\.mesh\.runDir .*/file/run"),
        RunDirLock(RunDir(run_dir / "file/run")),
    ):
        pass


def test_a_directory_that_others_may_write_is_refused(run_dir: Path) -> None:
    """Whoever could replace the configuration there would have programs of his run."""
    run_dir.chmod(0o770)
    with pytest.raises(DirectoryNotOurs, match=r"solution\.mesh\.runDir .* can be written by others"):
        RunDirLock(RunDir(run_dir)).__enter__()

    assert [] == list(run_dir.iterdir())
