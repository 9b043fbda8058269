"""Where the mesh keeps its files: sockets in a short run directory, everything that lasts in the data directory."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from meshkit.process import own_directory

RUN_DIR_VARIABLE = "FEEDMESH_RUN_DIR"
CONFIG_VARIABLE = "FEEDMESH_CONFIG"
SP_SECRETS_DIR = "/sp/secrets"
SP_CERTIFICATES_DIR = "/sp/certs"
# The kernel's limit for the path of a Unix socket, without its terminating zero.
LONGEST_SOCKET_PATH = 107


def default_run_dir() -> Path:
    """
    Return the run directory of this user: short, since a Unix socket's path has at most 107 bytes.

    Raises DirectoryNotOurs if nobody has named it and what is there is not ours alone: whoever answers on its sockets
    tells us what to run.
    """
    if configured := os.environ.get(RUN_DIR_VARIABLE):
        return Path(configured)
    user = os.geteuid()
    if user == 0:
        return Path("/run/feedmesh")
    # It is what the variable names after a login; without it, as in a cron job, the directory may be there.
    session = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{user}")
    if "XDG_RUNTIME_DIR" in os.environ or own_directory.is_ours(session):
        path = session / "feedmesh"
    else:
        # Everybody may make a directory of that name there, so it is looked at before it is trusted.
        path = Path(tempfile.gettempdir()) / f"feedmesh-{user}"
    if path.exists() or path.is_symlink():
        own_directory.check(path)
    return path


def default_data_dir(profile: str) -> Path:
    """
    Return the data directory of a profile.

    It is outside the checkout, because PostgreSQL runs as another user when we are root, and that user must be able
    to enter every directory above the cluster; a home directory often forbids it.
    """
    if os.geteuid() == 0:
        return Path("/var/lib/feedmesh") / profile
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local/state")
    return Path(state) / "feedmesh" / profile


@dataclass(frozen=True, slots=True)
class RunDir:
    """The directory of sockets, the lock and the restart counters; all of it is gone after an ordered stop."""

    path: Path

    def socket(self, name: str) -> Path:
        """Return the Unix socket of a service: aggregator, supervisor, metrics, dbinit, operator, chainlink-node-1."""
        return self.path / f"{name}.sock"

    def own(self, service: str) -> Path:
        """Return the directory of what only this service's user may touch, where services have users of their own."""
        return self.path / f"{service}.d"

    def called(self, service: str) -> Path:
        """Return the directory of a node's socket, apart from its files, where services have users of their own."""
        return self.path / f"{service}.rpc"

    @property
    def postgres_launch(self) -> Path:
        """Return the file that says how to start the PostgreSQL server."""
        return self.own("postgres") / "launch.json"

    @property
    def lock(self) -> Path:
        """Return the file that the one supervisor of this directory holds locked."""
        return self.path / "supervisor.lock"

    @property
    def verdict(self) -> Path:
        """Return the file that says whether the mesh does what it is for; its directory is the metrics service's."""
        return self.path / "verdict" / "verdict.json"

    @property
    def configuration(self) -> Path:
        """Return the copy of the configuration that the services read."""
        return self.path / "configuration.json"

    def masked(self, service: str) -> Path:
        """Return the configuration for one service's eyes, from which that service is given a copy."""
        return self.path / "configurations" / f"{service}.json"

    @property
    def restart_files(self) -> Path:
        """Return the directory of all services' `restart-count` and `last-restart` files, unless it is elsewhere."""
        return self.path / "service"


@dataclass(frozen=True, slots=True)
class DataDir:
    """The directory of everything that outlives a run."""

    path: Path

    @property
    def configuration(self) -> Path:
        """Return the generated configuration of the embedded profile."""
        return self.path / "configuration.json"

    @property
    def postgres(self) -> Path:
        """Return the directory of the PostgreSQL cluster and what belongs to it."""
        return self.path / "postgresql"

    @property
    def earlier(self) -> "tuple[DataDir, ...]":
        """Return where earlier versions kept what is now elsewhere: here, and where they were without a setting."""
        return (self, DataDir(self.path / "feedmesh"))

    @property
    def secrets(self) -> Path:
        """Return the embedded profile's `spSecretsDir`; deployments have it elsewhere."""
        return self.path / "secrets"

    @property
    def logs(self) -> Path:
        """Return the directory of the rotated log files."""
        return self.path / "logs"

    @property
    def operator(self) -> Path:
        """Return the directory of the operator's own state."""
        return self.path / "operator"

    @property
    def chain(self) -> Path:
        """Return the directory of the dev chain's snapshots."""
        return self.path / "chain"

    def node(self, index: int) -> Path:
        """Return the directory of one node: config.toml, secrets.toml and apicredentials."""
        return self.nodes / str(index)

    @property
    def nodes(self) -> Path:
        """Return the directory of all nodes' files."""
        return self.path / "nodes"

    def node_home(self, index: int) -> Path:
        """Return the directory that a node may write in."""
        return self.path / "node-homes" / str(index)


@dataclass(frozen=True, slots=True)
class SecretsDir:
    """The deployment's directory of secrets: the only place of the nodes' keys, which cannot be made again."""

    path: Path

    @property
    def nodes(self) -> Path:
        """Return the directory of all nodes' keys; who uses or changes them holds it locked."""
        return self.path / "cl-secrets"

    def node(self, index: int) -> Path:
        """Return the directory of one node's key files."""
        return self.nodes / str(index)

    @property
    def contracts(self) -> Path:
        """Return the file that says which contract was deployed for which feed."""
        return self.nodes / "contracts.json"
