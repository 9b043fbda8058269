"""Where the services of a running mesh answer."""

from pathlib import Path

from cli.errors import CliError
from meshkit.paths import RunDir


def socket_of(run_dir: Path, service: str) -> Path:
    """Return a service's socket. Raises CliError if no mesh runs there."""
    socket = RunDir(run_dir.absolute()).socket(service)
    if not socket.exists():
        raise CliError(
            f"no mesh runs here: {socket} does not exist", "start one with `feedmesh run`, or give --run-dir"
        )
    return socket
