"""What this service takes from the mesh's configuration."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from meshkit.configuration.keys_by_service import DBINIT
from meshkit.configuration.load import load_from_environment
from meshkit.configuration.postgres_url import PostgresUrl
from meshkit.configuration.solution import Configuration
from meshkit.credentials import database_password
from meshkit.errors import InvalidInput
from meshkit.log import add_secret
from meshkit.paths import DataDir, RunDir, default_run_dir
from services.dbinit.cluster.cluster import SUPERUSER
from services.dbinit.cluster.place import Place

NODE_PREFIX = "chainlink_node_"
_LONGEST_NAME_BYTES = 63


@dataclass(frozen=True, slots=True)
class Settings:
    """
    The database service's view: where the cluster lies, how it listens, whose databases it has.

    `server` is one that is not ours; then there is no cluster here.
    """

    run_dir: RunDir
    place: Place
    port: int
    bin_dir: Path | None
    user: str | None
    max_connections: int
    synchronous_commit: bool
    group_role: str
    total_nodes: int
    pg_password: str = field(repr=False)
    server: PostgresUrl | None = None

    @property
    def socket(self) -> Path:
        """Return the socket this service answers on."""
        return self.run_dir.socket("dbinit")

    def password(self, node: int) -> str:
        """Return the password of a node's role."""
        return database_password(self.pg_password, node)


def node_name(node: int) -> str:
    """Return the name of a node's role and of its database."""
    return f"{NODE_PREFIX}{node}"


def from_configuration(configuration: Configuration, run_dir: Path) -> Settings:
    """
    Return the settings and register the nodes' passwords with the log.

    Raises InvalidInput if `solution.pgUser` cannot be the name of the group role.
    """
    solution = configuration.solution
    _check_group_role(solution.pg_user)
    settings = Settings(
        run_dir=RunDir(run_dir),
        place=Place(DataDir(solution.mesh.data_dir.absolute()).postgres),
        port=solution.pg_port,
        bin_dir=solution.mesh.postgres.bin_dir,
        user=solution.mesh.postgres.user,
        max_connections=solution.mesh.postgres.max_connections,
        synchronous_commit=solution.mesh.postgres.synchronous_commit,
        group_role=solution.pg_user,
        total_nodes=solution.total_nodes,
        pg_password=solution.pg_password.get_secret_value(),
        server=PostgresUrl.parse(url.get_secret_value()) if (url := solution.mesh.postgres.url) is not None else None,
    )
    for node in range(1, settings.total_nodes + 1):
        add_secret(settings.password(node))
    return settings


def from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    """
    Read the file that FEEDMESH_CONFIG names.

    Raises InvalidInput if the variable is not set, InvalidConfiguration if the file is not what it should be.
    """
    return from_configuration(load_from_environment(environment, DBINIT), default_run_dir())


def _check_group_role(name: str) -> None:
    allowed = (
        f"a role name of at most {_LONGEST_NAME_BYTES} bytes that does not begin with pg_ and is neither "
        f"{SUPERUSER}, public, none nor a node's own ({NODE_PREFIX}1)"
    )
    reserved = name in {SUPERUSER, "public", "none"} or name.startswith("pg_")
    node_like = re.fullmatch(rf"{NODE_PREFIX}\d+", name) is not None
    if reserved or node_like or "\0" in name or len(name.encode()) > _LONGEST_NAME_BYTES:
        raise InvalidInput("solution.pgUser", name, allowed)
