"""How a person's client program reaches a node's database."""

from dataclasses import dataclass
from pathlib import Path

from meshkit import atomic_file
from meshkit.errors import NotFound
from meshkit.paths import RunDir
from services.dbinit.cluster import binaries
from services.dbinit.config import NODE_PREFIX, Settings, node_name
from services.dbinit.databases.session import HOST

_SUFFIX = ".pgpass"


@dataclass(frozen=True, slots=True)
class Reached:
    """The name of a node's role and database, the file with its password, and the server's programs."""

    name: str
    password_file: Path
    program_directory: Path


def reach(settings: Settings, node: int) -> Reached:
    """
    Leave a node's password in a file of libpq's format, so that no command line and no message carries it.

    Raises NotFound for a node that the configuration does not have, or ProgramsNotFound.
    """
    name = node_name(node)
    if not 1 <= node <= settings.total_nodes:
        raise NotFound("node", str(node))
    programs = binaries.find(settings.bin_dir)
    file = settings.run_dir.path / f"{name}{_SUFFIX}"
    atomic_file.replace(file, f"{HOST}:{settings.port}:{name}:{name}:{settings.password(node)}\n", 0o600)
    return Reached(name, file, programs.bin_dir)


def forget(run_dir: RunDir) -> None:
    """Remove all such files."""
    for file in run_dir.path.glob(f"{NODE_PREFIX}*{_SUFFIX}"):
        file.unlink()
