"""Locks on directories of keys."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from chainlink.errors import SecretsInUse, UnreadableKeyFile
from chainlink.identities.directory_lock import sole_use, waiting_lock


def test_the_sole_user_keeps_others_away(tmp_path: Path) -> None:
    """While one holds the directory another is refused; afterwards it is free, and nothing is left in it."""
    with sole_use(tmp_path), pytest.raises(SecretsInUse, match="is in use"), sole_use(tmp_path):
        pass
    with sole_use(tmp_path):
        assert [] == list(tmp_path.iterdir())


def test_the_lock_ends_with_its_holder(tmp_path: Path) -> None:
    """A process that is killed holds nothing any more."""
    program = (
        "import sys, time; from pathlib import Path; from chainlink.identities.directory_lock import sole_use\n"
        "with sole_use(Path(sys.argv[1])): print('held', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert "held\n" == holder.stdout.readline()
        with pytest.raises(SecretsInUse), sole_use(tmp_path):
            pass
        holder.kill()
    with sole_use(tmp_path):
        pass


def test_a_waiting_lock_waits(tmp_path: Path) -> None:
    """The second comes in only after the first is out."""
    order: list[str] = []
    inside = threading.Event()

    def second() -> None:
        inside.wait()
        with waiting_lock(tmp_path):
            order.append("second")

    thread = threading.Thread(target=second)
    thread.start()
    with waiting_lock(tmp_path):
        inside.set()
        order.append("first")
    thread.join()

    assert ["first", "second"] == order


def test_a_directory_that_cannot_be_entered_is_named(tmp_path: Path) -> None:
    """A missing directory and a file are errors that name them."""
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "none", tmp_path / "file"):
        with pytest.raises(UnreadableKeyFile, match=rf"{path.name}: cannot be entered"), sole_use(path):
            pass
