"""
What can go wrong with the cluster and its databases.

    meshkit.errors.FailedPrecondition
    ├── ProgramsNotFound     no usable PostgreSQL 17 on this machine
    ├── AccountUnusable      the unprivileged user for PostgreSQL does not exist or cannot be taken on
    ├── PlaceUnusable        a directory cannot be entered, read or written by who must do so
    ├── ClusterUnusable      the cluster's files are of another version, damaged or not ours
    ├── ProgramFailed        initdb ended with an error
    ├── LoginRefused         a server answers, but it does not know our superuser
    └── ForeignLoginRefused  a server that is not ours does not let the user of its URL in
    meshkit.errors.Unavailable
    ├── ServerUnavailable    PostgreSQL does not answer (yet)
    └── BootstrapBusy        another process is making this cluster
"""

import errno
from pathlib import Path

from meshkit.errors import FailedPrecondition, Unavailable

GET_17 = (
    "install PostgreSQL 17 (Debian and Ubuntu: package postgresql-17), or `npm ci` in the "
    "checkout, or point solution.mesh.postgres.binDir at its bin directory"
)


class ProgramsNotFound(FailedPrecondition):
    """No usable PostgreSQL 17 on this machine; `found` has one phrase for each place that was looked at."""

    reason = "POSTGRES_PROGRAMS_NOT_FOUND"

    def __init__(self, found: list[str]) -> None:
        super().__init__(f"no PostgreSQL 17: {'; '.join(found)}. Way out: {GET_17}")
        self.found = found


class AccountUnusable(FailedPrecondition):
    """The user PostgreSQL should run as does not exist or cannot be taken on."""

    reason = "POSTGRES_ACCOUNT_UNUSABLE"

    def __init__(self, user: str, why: str) -> None:
        super().__init__(f"solution.mesh.postgres.user {user!r}: {why}")
        self.user = user


class PlaceUnusable(FailedPrecondition):
    """A directory cannot be entered, read or written by who must do so."""

    reason = "POSTGRES_PLACE_UNUSABLE"

    def __init__(self, path: Path, why: str, way_out: str) -> None:
        super().__init__(f"{path}: {why}. Way out: {way_out}")
        self.path = path


class ClusterUnusable(FailedPrecondition):
    """The cluster's files are of another version, damaged or not ours."""

    reason = "POSTGRES_CLUSTER_UNUSABLE"

    def __init__(self, path: Path, why: str, way_out: str) -> None:
        super().__init__(f"{path}: {why}. Way out: {way_out}")
        self.path = path


class ProgramFailed(FailedPrecondition):
    """A program of PostgreSQL ended with an error; the text has the last lines of what it said."""

    reason = "POSTGRES_PROGRAM_FAILED"

    def __init__(self, program: str, code: int, output: str) -> None:
        said = " | ".join(line.strip() for line in output.strip().splitlines()[-5:]) or "nothing"
        super().__init__(f"{program} ended with code {code} and said: {said}")
        self.program = program
        self.code = code


class LoginRefused(FailedPrecondition):
    """A server answers on our port, but it does not know our superuser."""

    reason = "POSTGRES_LOGIN_REFUSED"

    def __init__(self, port: int, password_file: Path, said: str) -> None:
        super().__init__(
            f"the server on 127.0.0.1:{port} refuses the superuser ({said}). Way out: if another PostgreSQL holds the "
            f"port, stop it or change solution.pgPort; else restore {password_file}, which was made with the cluster"
        )
        self.port = port


class ForeignLoginRefused(FailedPrecondition):
    """The server of `solution.mesh.postgres.url` does not let its user in."""

    reason = "POSTGRES_LOGIN_REFUSED"

    def __init__(self, address: str, user: str, said: str) -> None:
        super().__init__(
            f"the server on {address} refuses {user} ({said}). Way out: correct solution.mesh.postgres.url, whose user "
            "must be a superuser"
        )
        self.address = address
        self.user = user


class ServerUnavailable(Unavailable):
    """PostgreSQL does not answer, or not yet."""

    reason = "POSTGRES_UNAVAILABLE"

    def __init__(self, address: str, said: str) -> None:
        super().__init__(f"PostgreSQL on {address} does not answer: {said}")
        self.address = address


class BootstrapBusy(Unavailable):
    """Another process is making the cluster in this directory."""

    reason = "POSTGRES_BOOTSTRAP_BUSY"

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path}: another process is making the cluster here; try again when it has ended")
        self.path = path


def from_os_error(error: OSError, path: Path) -> PlaceUnusable:
    """Return the error that says what the operating system refused and what to do about it."""
    where = Path(error.filename) if isinstance(error.filename, str) else path
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return disk_full(where)
    return PlaceUnusable(
        where,
        f"cannot be used: {error.strerror}",
        "make it readable and writable for the user the mesh runs as, or choose another solution.mesh.dataDir",
    )


def disk_full(path: Path) -> PlaceUnusable:
    """Return the error for a disk without room for a cluster."""
    return PlaceUnusable(path, "the disk is full", "free some space (a new cluster needs 100 MB) and start again")
