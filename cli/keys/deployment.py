"""Whose keys a command is about: what it needs of a configuration."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chainlink.errors import UnwritableSecrets
from chainlink.identities.directory_lock import sole_use
from cli.errors import UsageError
from meshkit import private_directory
from meshkit.configuration.load import load
from meshkit.paths import SecretsDir


@dataclass(frozen=True, slots=True)
class Deployment:
    """Hold where the keys of how many nodes are, and the keystore's password; node i ≤ `bootstrap_nodes` has no OCR."""

    secrets: SecretsDir
    nodes: int
    bootstrap_nodes: int
    keystore_password: str
    scrypt_n: int

    def directory(self, node: int) -> Path:
        """Return a node's directory; raises UsageError for a number that no node has."""
        if not 1 <= node <= self.nodes:
            raise UsageError(f"NODE: found {node}, allowed: 1 to {self.nodes}")
        return self.secrets.node(node)

    @property
    def directories(self) -> dict[int, Path]:
        """Return every node's directory by number."""
        return {index: self.secrets.node(index) for index in range(1, self.nodes + 1)}

    @contextmanager
    def sole_use(self) -> Iterator[None]:
        """Keep every mesh from the keys while they are changed; raises SecretsInUse if one runs with them."""
        try:
            private_directory.make(self.secrets.nodes)
        except OSError as error:
            raise UnwritableSecrets(self.secrets.nodes, error.strerror or "") from error
        with sole_use(self.secrets.nodes):
            yield


def of(config: Path) -> Deployment:
    """Read a configuration; raises InvalidConfiguration."""
    solution = load(config).solution
    return Deployment(
        SecretsDir(Path(solution.sp_secrets_dir).absolute()),
        solution.total_nodes,
        solution.bootstrap_nodes,
        solution.chainlink_keystore_password.get_secret_value(),
        solution.mesh.keystore.scrypt_n,
    )
