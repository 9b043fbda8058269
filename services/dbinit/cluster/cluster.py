"""Make the cluster's files, once, and refuse those we cannot work with."""

import os
import secrets
import shutil
import subprocess
from pathlib import Path

from meshkit import atomic_file
from services.dbinit.cluster import run_as, sync_tree
from services.dbinit.cluster.account import Account
from services.dbinit.cluster.binaries import MAJOR, Programs
from services.dbinit.cluster.place import Place
from services.dbinit.errors import ClusterUnusable, ProgramFailed, disk_full

SUPERUSER = "feedmesh"
# A segment is the smallest amount of WAL on disk; the default of 16 MB is much for a container.
_WAL_SEGMENT_MB = 4
# A page that fits only in part is reported without the system's own text for a full disk.
_NO_SPACE = ("No space left on device", "Check free disk space")
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def exists(place: Place, account: Account | None) -> bool:
    """
    Return whether a usable cluster lies in its place; an empty directory is none.

    Raises ClusterUnusable for another major version, an incomplete one, another owner's, or a lost password.
    """
    data = place.data
    if not data.exists() or (data.is_dir() and not any(data.iterdir())):
        return False
    elsewhere = "or choose another solution.mesh.dataDir"
    if not (data / "PG_VERSION").is_file() or not (data / "global/pg_control").is_file():
        raise ClusterUnusable(
            data, "is not empty, but not a whole cluster either", f"restore it or move it away, {elsewhere}"
        )
    version = (data / "PG_VERSION").read_text().strip()
    if version != str(MAJOR):
        raise ClusterUnusable(
            data,
            f"is a cluster of PostgreSQL {version}, but this is {MAJOR}",
            f"convert it (pg_upgrade, or pg_dumpall with {version}'s programs and restore), {elsewhere}",
        )
    owner, expected = data.stat().st_uid, os.geteuid() if account is None else account.identity.uid
    if owner != expected:
        raise ClusterUnusable(
            data,
            f"belongs to user id {owner}, but PostgreSQL would run as user id {expected}",
            f"chown -R {expected} {data}, or set solution.mesh.postgres.user to its owner, {elsewhere}",
        )
    if not place.superuser_password.is_file():
        raise ClusterUnusable(
            data,
            f"has lost its superuser's password, {place.superuser_password}",
            f"restore that file, or set a new one in single-user mode (postgres --single), {elsewhere}",
        )
    return True


def owner_of(place: Place) -> int | None:
    """Return the user id an existing cluster belongs to, or None if there is none yet."""
    marker = place.data / "PG_VERSION"
    return marker.stat().st_uid if marker.exists() else None


def make(programs: Programs, account: Account | None, place: Place) -> None:
    """
    Make the cluster: in a temporary directory, flushed, then renamed, so that it is whole or absent.

    Raises ProgramFailed with initdb's last words, PlaceUnusable for a full disk, or OSError.
    """
    temporary = place.temporary(place.data)
    password = secrets.token_urlsafe(32)
    try:
        files = temporary / "cluster"
        password_file = temporary / "password"
        atomic_file.replace(password_file, password + "\n", 0o600)
        if account is not None:
            for path in (temporary, password_file):
                os.chown(path, account.identity.uid, account.identity.gid)
        _initdb(programs, account, files, password_file)
        sync_tree.sync_tree(files)
        # Before the cluster, since one without its password would be of no use.
        atomic_file.replace(place.superuser_password, password + "\n", place.secret_mode)
        files.rename(place.data)
        sync_tree.sync(place.path)
    finally:
        shutil.rmtree(temporary)


def _initdb(programs: Programs, account: Account | None, files: Path, password_file: Path) -> None:
    arguments = [
        str(programs.initdb),
        f"--pgdata={files}",
        f"--username={SUPERUSER}",
        f"--pwfile={password_file}",
        "--auth-local=scram-sha-256",
        "--auth-host=scram-sha-256",
        "--data-checksums",
        "--encoding=UTF8",
        # The built-in provider sorts the same on every machine; the C library's order changes with its version and
        # would break the indexes of a cluster that is moved.
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        f"--wal-segsize={_WAL_SEGMENT_MB}",
        # See server_files: the server that initdb runs could end with SIGBUS.
        "--set=huge_pages=off",
        "--no-instructions",
        # We flush the tree ourselves, many files at a time.
        "--no-sync",
    ]
    ran = subprocess.run(
        run_as.command(None if account is None else account.identity, arguments),
        env=_ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if ran.returncode != 0 and any(phrase in ran.stdout for phrase in _NO_SPACE):
        raise disk_full(files)
    if ran.returncode != 0:
        raise ProgramFailed("initdb", ran.returncode, ran.stdout)
