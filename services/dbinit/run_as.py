"""
Run a program as another user, and end it when its parent ends.

PostgreSQL refuses to run as root, and a gRPC process must not fork to change its user (grpc's threads do not survive a
fork), so it starts this file as a program of its own:

    python -I -S run_as.py PARENT UID GID GROUPS exec PROGRAM ARGUMENT...
    python -I -S run_as.py PARENT UID GID GROUPS reach PATH

PARENT is the process id of who starts it; `-` as the UID keeps the user. `reach` prints the first directory on the way
to PATH which that user cannot enter. It needs nothing but the standard library, and all of it before the user changes:
afterwards even Python's own files may be out of reach, below a home directory for instance.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_SHIM = Path(__file__).resolve()


@dataclass(frozen=True, slots=True)
class Identity:
    """The numbers that make a Unix user: user id, group id and supplementary groups."""

    uid: int
    gid: int
    groups: tuple[int, ...]


def command(identity: Identity | None, program: Sequence[str]) -> list[str]:
    """Return the command that executes a program as that user (None keeps ours) and kills it when we die."""
    return [*_prefix(identity), "exec", *program]


def reach_command(identity: Identity | None, path: Path) -> list[str]:
    """Return the command that prints the first directory on the way to a path which that user cannot enter."""
    return [*_prefix(identity), "reach", str(path)]


def _prefix(identity: Identity | None) -> list[str]:
    numbers = ["-", "-", "-"] if identity is None else [str(identity.uid), str(identity.gid), _join(identity.groups)]
    return [sys.executable, "-I", "-S", str(_SHIM), str(os.getpid()), *numbers]


def _join(groups: Sequence[int]) -> str:
    return ",".join(map(str, groups)) or "-"


def become(identity: Identity) -> None:
    """Give up root for good. Raises OSError if we are not allowed to change the user."""
    os.setgroups(identity.groups)
    os.setresgid(identity.gid, identity.gid, identity.gid)
    os.setresuid(identity.uid, identity.uid, identity.uid)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def die_with_parent(parent: int, number: signal.Signals) -> None:
    """
    Have the kernel send us this signal when our parent ends; exit now if `parent` is not our parent any more.

    A change of the user clears the setting, so this comes after it; an exec keeps it.
    """
    _prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        sys.exit("the parent process has ended")


def replace(program: Sequence[str], environment: dict[str, str]) -> NoReturn:
    """Become this program, from `/`, with private files and the signals Python ignores as they were."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    os.umask(0o077)
    # Our working directory may be one that the new user cannot enter.
    os.chdir("/")
    os.execve(program[0], list(program), environment)  # noqa: S606  # replacing this process is the point


def first_obstacle(path: Path) -> Path | None:
    """Return the first directory from the root down to `path`, itself included, that we cannot enter."""
    for directory in (*reversed(path.parents), path):
        if not os.access(directory, os.X_OK):
            return directory
    return None


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def main(arguments: Sequence[str]) -> NoReturn:
    """Take on the user and do what the arguments say; the module's text has their form."""
    parent, uid, gid, groups, verb, *rest = arguments
    try:
        if uid != "-":
            become(Identity(int(uid), int(gid), tuple(map(int, groups.split(","))) if groups != "-" else ()))
        die_with_parent(int(parent), signal.SIGKILL)
        if verb == "reach":
            print(first_obstacle(Path(rest[0])) or "", end="")
            sys.exit(0)
        replace(rest, dict(os.environ))
    except OSError as error:
        sys.exit(f"{rest[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
