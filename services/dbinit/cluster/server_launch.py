"""
Become the PostgreSQL server: the `postgres` command.

Bootstrap decides program, user and directories and writes them to a file in the run directory. This command only acts
on it and imports next to nothing, so that a killed server is back at once and its process id is the postmaster's.
"""

import json
import os
import select
import signal
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn

from meshkit import atomic_file
from meshkit.paths import RunDir, default_run_dir
from meshkit.process import exec_shim
from services.dbinit.cluster import preflight, run_as
from services.dbinit.cluster.run_as import Identity

_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
_PREDECESSOR_S = 5.0


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start the server. `identity` is None to stay the user we are, `socket_directory` None to have none."""

    program: Path
    data_directory: Path
    settings_file: Path
    socket_directory: Path | None
    identity: Identity | None


def write(launch: Launch, run_dir: RunDir) -> None:
    """Leave the decision where the `postgres` command finds it."""
    run_dir.postgres_launch.parent.mkdir(mode=0o700, exist_ok=True)
    atomic_file.replace(run_dir.postgres_launch, json.dumps(asdict(launch), default=str), 0o600)


def read(run_dir: RunDir) -> Launch:
    """Return what `write` has left. Raises OSError if there is nothing."""
    document = json.loads(run_dir.postgres_launch.read_text())
    socket, identity = document["socket_directory"], document["identity"]
    return Launch(
        Path(document["program"]),
        Path(document["data_directory"]),
        Path(document["settings_file"]),
        None if socket is None else Path(socket),
        None if identity is None else Identity(identity["uid"], identity["gid"], tuple(identity["groups"])),
    )


def run() -> NoReturn:
    """Replace this process by the server, or exit with a line that says why not."""
    parent = os.getppid()
    run_dir = RunDir(default_run_dir())
    try:
        launch = read(run_dir)
    except OSError as error:
        sys.exit(f"postgres: {error.filename}: {error.strerror}; `python -m services.dbinit bootstrap` makes it")
    try:
        if obstacle := preflight.obstacle(launch.data_directory):
            print(f"postgres: {obstacle}", file=sys.stderr)
            sys.exit(obstacle.exit_code)
        _clear_the_way(launch)
        if launch.identity is not None:
            exec_shim.become(*launch.identity.numbers)
        # Immediate shutdown: whoever should have stopped us in order is dead, and recovery loses nothing.
        if not exec_shim.die_with_parent(parent, signal.SIGQUIT):
            sys.exit("postgres: the parent process has ended")
        os.umask(run_as.PRIVATE)
        # Our working directory may be one that the new user cannot enter.
        os.chdir("/")
        exec_shim.replace(
            [str(launch.program), "-D", str(launch.data_directory), "-c", f"config_file={launch.settings_file}"],
            _ENVIRONMENT,
        )
    except OSError as error:
        sys.exit(f"postgres: {error.filename or launch.program}: {error.strerror}")
    raise AssertionError("an exec does not return")


def _clear_the_way(launch: Launch) -> None:
    if launch.socket_directory is not None:
        launch.socket_directory.mkdir(exist_ok=True)
        launch.socket_directory.chmod(0o700)
        if launch.identity is not None:
            os.chown(launch.socket_directory, launch.identity.uid, launch.identity.gid)
    if not _wait_for_predecessor(launch.data_directory, _PREDECESSOR_S):
        return  # It lives. PostgreSQL's own check of its pid file refuses to start and says so.
    # A killed postmaster leaves files with its process id. In a container that number soon belongs to another process,
    # and PostgreSQL would refuse to start for ever. Nobody works in the directory any more, so the files are stale.
    (launch.data_directory / "postmaster.pid").unlink(missing_ok=True)
    if launch.socket_directory is not None:
        for stale in launch.socket_directory.iterdir():
            stale.unlink()


def _wait_for_predecessor(data_directory: Path, timeout_s: float) -> bool:
    """
    Wait until no process works in the directory and return whether that came true.

    The backends of a killed postmaster notice its death by themselves, but take a moment, and a server started
    meanwhile gives up because of them.
    """
    deadline = time.monotonic() + timeout_s
    real_path = data_directory.resolve()
    while occupants := _occupants(real_path):
        for pid in occupants:
            if (left_s := deadline - time.monotonic()) <= 0:
                return False
            try:
                descriptor = os.pidfd_open(pid)
            except ProcessLookupError:
                continue
            try:
                select.select([descriptor], [], [], left_s)
            finally:
                os.close(descriptor)
    return True


def _occupants(directory: Path) -> list[int]:
    """Return the processes whose working directory it is, as that of every process of a PostgreSQL server."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if os.readlink(entry / "cwd") == str(directory):  # noqa: PTH115  # /proc gives text, no path to resolve
                    found.append(int(entry.name))
            except OSError:
                continue  # It has ended meanwhile, or is another user's, whose server could not use our files.
    return found
