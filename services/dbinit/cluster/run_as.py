"""
Run a program as the user that PostgreSQL has, and end it when this process ends.

PostgreSQL refuses to run as root, and a gRPC process must not fork to change its user (grpc's threads do not survive a
fork), so `meshkit/process/exec_shim.py` does that in a program of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from meshkit.process import exec_shim

PRIVATE = 0o077


@dataclass(frozen=True, slots=True)
class Identity:
    """The numbers that make a Unix user: user id, group id and supplementary groups."""

    uid: int
    gid: int
    groups: tuple[int, ...]

    @property
    def numbers(self) -> tuple[int, int, tuple[int, ...]]:
        """Return them in that order."""
        return self.uid, self.gid, self.groups


def command(identity: Identity | None, program: Sequence[str]) -> list[str]:
    """
    Return the command that executes a program as that user (None keeps ours) and kills it when we die.

    It begins in `/`, since our working directory may be one that the user cannot enter, and its files are private.
    """
    user = None if identity is None else identity.numbers
    return exec_shim.command(list(program), umask=PRIVATE, user=user, directory="/")


def reach_command(identity: Identity | None, path: Path) -> list[str]:
    """Return the command that prints the first directory on the way to a path which that user cannot enter."""
    return exec_shim.reach_command(str(path), None if identity is None else identity.numbers)
