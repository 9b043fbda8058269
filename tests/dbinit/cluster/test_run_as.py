"""The shim that changes the user."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from services.dbinit.cluster import run_as
from services.dbinit.cluster.run_as import Identity
from tests.dbinit.conftest import needs_root

NOBODY = Identity(65534, 65534, ())


def output(command: list[str]) -> str:
    """Run a command that must succeed and return what it printed."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@needs_root
def test_becomes_the_user_for_good() -> None:
    """The program runs as the user, with its groups only, from a directory it can enter, and cannot go back."""
    script = "id -u; id -G; pwd; grep NoNewPrivs /proc/self/status"
    printed = output(run_as.command(Identity(65534, 65534, (12345,)), ["/bin/sh", "-c", script]))

    assert ["65534", "65534 12345", "/", "NoNewPrivs:\t1"] == printed.splitlines()


def test_keeps_the_user() -> None:
    """Without an identity the program runs as we do."""
    assert f"{os.geteuid()}\n" == output(run_as.command(None, ["/usr/bin/id", "-u"]))


def test_exit_code_is_the_programs() -> None:
    """The program's exit code is the shim's."""
    assert 7 == subprocess.run(run_as.command(None, ["/bin/sh", "-c", "exit 7"])).returncode


def test_missing_program() -> None:
    """A program that does not exist is named."""
    ran = subprocess.run(run_as.command(None, ["/no/such/program"]), capture_output=True, text=True)

    assert (127, "cannot start: /no/such/program: No such file or directory\n") == (ran.returncode, ran.stderr)


@needs_root
@pytest.mark.parametrize("closed", ["a", "a/b", None])
def test_reach(closed: str | None, directory: Path) -> None:
    """The first directory on the way that the user cannot enter is printed, or nothing."""
    target = directory / "a/b/c"
    target.mkdir(parents=True)
    if closed is not None:
        (directory / closed).chmod(0o700)

    expected = "" if closed is None else str(directory / closed)
    assert expected == output(run_as.reach_command(NOBODY, target))


def test_does_not_outlive_a_parent_that_is_gone_already() -> None:
    """The program does not even start if its parent ended before the shim got that far."""
    command = run_as.command(None, ["/bin/echo", "started"])
    command[command.index(f"parent={os.getpid()}")] = "parent=999999999"
    ran = subprocess.run(command, capture_output=True, text=True)

    assert (125, "", "cannot start: the parent process has ended\n") == (ran.returncode, ran.stdout, ran.stderr)


@pytest.mark.parametrize("identity", [None, pytest.param(NOBODY, marks=needs_root)])
def test_dies_with_its_parent(identity: Identity | None) -> None:
    """The program is gone soon after its parent was killed, also when it runs as another user."""
    script = f"""
import subprocess
from services.dbinit.cluster import run_as
identity = {None if identity is None else f"run_as.{identity!r}"}
child = subprocess.Popen(run_as.command(identity, ["/bin/sh", "-c", "echo $$; exec sleep 1000"]))
child.wait()
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    try:
        child.wait(10)
    except psutil.TimeoutExpired:
        child.kill()
        raise
