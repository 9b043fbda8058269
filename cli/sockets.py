"""Where the services of a running mesh answer, and what to say where one does not."""

import socket
from pathlib import Path
from typing import Final

from cli.errors import CliError
from meshkit.paths import RunDir

MESH_RUNS: Final = "the mesh runs: see `feedmesh status` for what this service does"
_ANSWER_S: Final = 1.0


def socket_of(run_dir: Path, service: str) -> Path:
    """Return a service's socket. Raises CliError if no mesh runs there, or the service does not."""
    directory = RunDir(run_dir.absolute())
    path = directory.socket(service)
    if path.exists():
        return path
    if service != "supervisor" and is_answered(directory.socket("supervisor")):
        raise CliError(f"no answer from {service}: {path} does not exist", MESH_RUNS)
    raise CliError(f"no mesh runs here: {path} does not exist", "start one with `feedmesh run`, or give --run-dir")


def is_answered(path: Path) -> bool:
    """Tell whether somebody listens on a Unix socket."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(_ANSWER_S)
        try:
            asking.connect(str(path))
        except OSError:
            return False
    return True
