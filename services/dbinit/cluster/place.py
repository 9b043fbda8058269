"""Where the cluster lies, and whether the user PostgreSQL runs as can get there and to the programs."""

import errno
import fcntl
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tenacity import retry, retry_if_exception, stop_after_delay, wait_fixed

from services.dbinit.cluster import run_as, sync_tree
from services.dbinit.cluster.account import Account
from services.dbinit.cluster.binaries import Programs
from services.dbinit.errors import BootstrapBusy, PlaceUnusable

_TEMPORARY = ".tmp-"
# Of a whole installation only what the server needs: no client programs, no headers, no static libraries.
_PROGRAMS = ("initdb", "postgres")
_NOT_NEEDED = shutil.ignore_patterns("*.a", "pkgconfig", "pgxs", "doc", "man")


@dataclass(frozen=True, slots=True)
class Place:
    """The directory `postgresql` of the data directory. It is ours; only `data` and `socket` are the account's."""

    path: Path

    @property
    def data(self) -> Path:
        """Return the cluster's own directory, PGDATA."""
        return self.path / "data"

    @property
    def socket(self) -> Path:
        """Return the directory of the server's Unix socket."""
        return self.path / "socket"

    @property
    def superuser_password(self) -> Path:
        """Return the file with the superuser's password."""
        return self.path / "superuser-password"

    @property
    def secret_mode(self) -> int:
        """Return the mode of a secret: ours alone, or also dbinit's group's where the directory hands that on."""
        return 0o640 if self.path.stat().st_mode & stat.S_ISGID else 0o600

    @property
    def server_settings(self) -> Path:
        """Return the server's configuration file."""
        return self.path / "feedmesh.conf"

    @property
    def access_rules(self) -> Path:
        """Return the server's host-based authentication file."""
        return self.path / "pg_hba.conf"

    def programs(self, version: str) -> Path:
        """Return the directory a copy of the programs lies in, if one is needed."""
        return self.path / f"programs-{version}"

    def temporary(self, target: Path) -> Path:
        """Make an empty directory beside `target` whose content may be renamed to it; leftovers are recognised."""
        return Path(tempfile.mkdtemp(prefix=target.name + _TEMPORARY, dir=self.path))


# What initdb had started may write and delete a little longer than it lives itself.
@retry(
    retry=retry_if_exception(lambda e: isinstance(e, OSError) and e.errno in {errno.ENOTEMPTY, errno.ENOENT}),
    stop=stop_after_delay(10),
    wait=wait_fixed(0.05),
    reraise=True,
)
def _remove(directory: Path) -> None:
    if directory.exists():
        shutil.rmtree(directory)


@contextmanager
def hold(place: Place) -> Iterator[None]:
    """
    Keep every other process from making this cluster, and begin without what a killed one left half-made.

    Raises BootstrapBusy if another process holds it.
    """
    descriptor = os.open(place.path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BootstrapBusy(place.path) from None
        for leftover in place.path.glob(f"*{_TEMPORARY}*"):
            if leftover.is_dir():
                _remove(leftover)
            else:
                leftover.unlink()
        yield
    finally:
        os.close(descriptor)


def prepare(place: Place, account: Account | None) -> None:
    """
    Make the directory and prove that its user can get there.

    Raises PlaceUnusable, which names the first directory that stops them, or OSError.
    """
    mode = 0o700 if account is None else 0o711
    for directory in (*reversed(place.path.parents), place.path):
        if not directory.exists():
            directory.mkdir()
            # Whatever the umask: others may pass through on their way to the cluster, not look around.
            directory.chmod(mode)
    if account is None:
        if not os.access(place.path, os.R_OK | os.W_OK | os.X_OK):
            raise PlaceUnusable(
                place.path,
                f"user id {os.geteuid()} cannot write there",
                "make it its own (chown), or choose another solution.mesh.dataDir",
            )
        return
    place.path.chmod(mode)
    ran = subprocess.run(run_as.reach_command(account.identity, place.path), capture_output=True, text=True)
    if ran.returncode != 0:
        raise PlaceUnusable(place.path, ran.stderr.strip(), f"let root become user {account.name!r}")
    if ran.stdout:
        raise PlaceUnusable(
            Path(ran.stdout),
            f"user {account.name!r}, which PostgreSQL runs as, cannot enter this directory on the way to {place.path}",
            f"choose a solution.mesh.dataDir outside it, such as /var/lib/feedmesh, or: chmod o+x {ran.stdout}",
        )


def within_reach(programs: Programs, account: Account | None, place: Place) -> Programs:
    """
    Return programs the account can run: these, or a copy of them made once a version.

    A checkout in root's home directory is closed to other users. The copy keeps the layout, because the server looks
    for its libraries and files relative to itself. Raises PlaceUnusable if neither can be run, or OSError.
    """
    if account is None or _runs(programs, account) is None:
        return programs
    copy = Programs(place.programs(programs.version) / "bin", programs.version)
    if not copy.postgres.is_file():
        _copy(programs, place)
    if why := _runs(copy, account):
        raise PlaceUnusable(
            copy.bin_dir,
            f"user {account.name!r} can run PostgreSQL neither from here nor from {programs.bin_dir}: {why}",
            "install PostgreSQL 17 as a system package, or name another solution.mesh.postgres.user",
        )
    return copy


def _runs(programs: Programs, account: Account) -> str | None:
    """Return why the account cannot run the programs, or None; found by trying, since modes alone do not tell."""
    ran = subprocess.run(
        run_as.command(account.identity, [str(programs.postgres), "--version"]), capture_output=True, text=True
    )
    return None if ran.returncode == 0 else ran.stderr.strip() or f"code {ran.returncode}"


def _copy(programs: Programs, place: Place) -> None:
    source = programs.bin_dir.parent
    if not (source / "lib").is_dir() or not any((source / "share").glob("**/postgres.bki")):
        raise PlaceUnusable(
            programs.bin_dir,
            "the user PostgreSQL runs as cannot enter it, and its lib and share do not lie beside it to be copied",
            "make it accessible (chmod o+rx), or use another installation of PostgreSQL 17",
        )
    target = place.programs(programs.version)
    temporary = place.temporary(target)
    (temporary / "bin").mkdir()
    for name in _PROGRAMS:
        shutil.copy2(programs.bin_dir / name, temporary / "bin" / name)
    for part in ("lib", "share"):
        shutil.copytree(source / part, temporary / part, symlinks=True, ignore=_NOT_NEEDED)
    for path in (temporary, *temporary.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
    # Whoever finds the directory later trusts it to be whole.
    sync_tree.sync_tree(temporary)
    temporary.rename(target)
