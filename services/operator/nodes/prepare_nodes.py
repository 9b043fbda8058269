"""Put every node's files in place: its keys, config.toml, secrets.toml and apicredentials."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

from meshkit import atomic_file
from services.operator import private_directory
from services.operator.config import OperatorConfig
from services.operator.nodes import node_keys
from services.operator.nodes.identity import NodeIdentity
from services.operator.nodes.node_config import api_credentials, config_toml, secrets_toml
from services.operator.nodes.node_keys import NodeKeys

CONFIG_FILE = "config.toml"
SECRETS_FILE = "secrets.toml"
CREDENTIALS_FILE = "apicredentials"
# A key at the standard scrypt cost takes 256 MiB while it is made or read.
_MOST_THREADS = 4


@dataclass(frozen=True, slots=True)
class PreparedNode:
    """Hold a node whose files are in place, and the encrypted OCR bundle that it has to import."""

    identity: NodeIdentity
    ocr_export: str | None


@dataclass(frozen=True, slots=True)
class Preparation:
    """Hold all nodes in the order of their numbers, and how many keys were made."""

    nodes: tuple[PreparedNode, ...]
    created_keys: int

    @property
    def identities(self) -> tuple[NodeIdentity, ...]:
        """Return the nodes' public identities."""
        return tuple(node.identity for node in self.nodes)


async def prepare(config: OperatorConfig) -> Preparation:
    """
    Make the missing keys of every node, at once on threads, and write every node's files.

    Raises:
        UnreadableKeyFile: when a key file exists and does not decrypt.
    """
    password = config.credentials.keystore_password
    gate = asyncio.Semaphore(min(_MOST_THREADS, os.cpu_count() or 1))

    async def ensure(index: int) -> NodeKeys:
        async with gate:
            directory, with_ocr = config.data.node(index), not config.is_bootstrap(index)
            return await asyncio.to_thread(node_keys.ensure, directory, password, config.scrypt_n, with_ocr=with_ocr)

    # All end before the first error is raised: no thread may go on writing behind the caller's back.
    results = await asyncio.gather(*map(ensure, config.node_indexes), return_exceptions=True)
    keys: dict[int, NodeKeys] = {}
    for index, result in zip(config.node_indexes, results, strict=True):
        if isinstance(result, BaseException):
            raise result
        keys[index] = result
    identities = tuple(
        NodeIdentity.of(index, config.node_name(index), node.evm, node.p2p, node.ocr) for index, node in keys.items()
    )
    for identity in identities:
        _write(config, identity, keys[identity.index], identities)
    nodes = tuple(PreparedNode(identity, keys[identity.index].ocr_export) for identity in identities)
    return Preparation(nodes, sum(node.created for node in keys.values()))


def _write(config: OperatorConfig, node: NodeIdentity, keys: NodeKeys, nodes: tuple[NodeIdentity, ...]) -> None:
    directory = config.data.node(node.index)
    _bring(directory / CONFIG_FILE, config_toml(config, node, nodes))
    _bring(directory / SECRETS_FILE, secrets_toml(config, node, keys))
    _bring(directory / CREDENTIALS_FILE, api_credentials(config))


def _bring(path: Path, content: str) -> None:
    """Replace a file unless it has that content: a file's time tells when it last changed."""
    if path.exists() and path.read_bytes() == content.encode():
        path.chmod(private_directory.FILE_MODE)
        return
    atomic_file.replace(path, content, private_directory.FILE_MODE)
