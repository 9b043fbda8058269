"""
Put every node's files in place: its keys below `spSecretsDir`, and config.toml, secrets.toml and apicredentials.

The keys are what cannot be made again; the three files are made of them and of the configuration at every start.
"""

import asyncio
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chainlink.errors import UnwritableSecrets
from chainlink.identities import directory_lock, key_files, raw_keys
from chainlink.identities.key_files import NodeKeys, Source
from meshkit import atomic_file, log, private_directory
from services.operator.config import OperatorConfig
from services.operator.errors import KeysLost, SharedKey
from services.operator.nodes.identity import NodeIdentity
from services.operator.nodes.node_config import api_credentials, config_toml, secrets_toml

CONFIG_FILE = "config.toml"
SECRETS_FILE = "secrets.toml"
CREDENTIALS_FILE = "apicredentials"
# A key at the standard scrypt cost takes 256 MiB while it is made or read.
_MOST_THREADS = 4


@dataclass(frozen=True, slots=True)
class PreparedNode:
    """Hold a node whose files are in place, and the encrypted OCR bundles that it has to import."""

    identity: NodeIdentity
    ocr_export: str | None
    ocr2_export: str | None = None


@dataclass(frozen=True, slots=True)
class Preparation:
    """Hold all nodes in the order of their numbers, and how many keys were made."""

    nodes: tuple[PreparedNode, ...]
    created_keys: int

    @property
    def identities(self) -> tuple[NodeIdentity, ...]:
        """Return the nodes' public identities."""
        return tuple(node.identity for node in self.nodes)


@contextmanager
def sole_use(config: OperatorConfig) -> Iterator[None]:
    """Keep every other mesh from these keys; raises SecretsInUse if one has them, UnwritableSecrets without a place."""
    _make_directory(config)
    with directory_lock.sole_use(config.secrets.nodes):
        yield


async def prepare(config: OperatorConfig) -> Preparation:
    """
    Make the missing keys of every node, at once on threads, and write every node's files.

    Raises:
        UnreadableKeyFile: when a key file exists and does not decrypt.
        UnwritableSecrets: when a key has to be written and cannot be.
        KeysLost: when nodes that ran before have no keys any more, unless new ones are allowed.
        SharedKey: when two nodes have one key.
    """
    password = config.credentials.keystore_password
    gate = asyncio.Semaphore(min(_MOST_THREADS, os.cpu_count() or 1))
    _make_directory(config)
    _check_not_lost(config)

    async def ensure(index: int) -> NodeKeys:
        async with gate:
            return await asyncio.to_thread(
                key_files.ensure,
                config.secrets.node(index),
                password,
                config.scrypt_n,
                with_ocr=not config.is_bootstrap(index),
                with_ocr2=config.has_ocr2 and not config.is_bootstrap(index),
                earlier=[place.node(index) for place in config.data.earlier],
            )

    # All end before the first error is raised: no thread may go on writing behind the caller's back.
    results = await asyncio.gather(*map(ensure, config.node_indexes), return_exceptions=True)
    keys: dict[int, NodeKeys] = {}
    for index, result in zip(config.node_indexes, results, strict=True):
        if isinstance(result, BaseException):
            raise result
        keys[index] = result
    _report(config, keys)
    identities = tuple(
        NodeIdentity.of(index, config.node_name(index), node.evm, node.p2p, node.ocr, node.ocr2)
        for index, node in keys.items()
    )
    _check_different(config, keys)
    for identity in identities:
        _write(config, identity, keys[identity.index], identities)
    nodes = tuple(
        PreparedNode(identity, keys[identity.index].ocr_export, keys[identity.index].ocr2_export)
        for identity in identities
    )
    return Preparation(nodes, sum(node.created for node in keys.values()))


def _make_directory(config: OperatorConfig) -> None:
    try:
        private_directory.make(config.secrets.nodes)
    except OSError as error:
        raise UnwritableSecrets(config.secrets.nodes, error.strerror or "") from error


def _check_not_lost(config: OperatorConfig) -> None:
    """Raise KeysLost for nodes without keys whose files of an earlier start are there: those were made of keys."""
    lost = tuple(
        index
        for index in config.node_indexes
        if (config.data.node(index) / SECRETS_FILE).exists()
        and any(
            not any((directory / each).exists() for directory, each in _places(config, index, name))
            for name in (key_files.EVM_FILE, key_files.P2P_FILE)
        )
    )
    if lost and not config.replace_oracles:
        raise KeysLost(config.secrets.nodes, lost, config.data.nodes)


def _places(config: OperatorConfig, index: int, name: str) -> tuple[tuple[Path, str], ...]:
    own = config.secrets.node(index)
    return (own, name), (own, raw_keys.RAW_FILE), *((place.node(index), name) for place in config.data.earlier)


def _report(config: OperatorConfig, keys: Mapping[int, NodeKeys]) -> None:
    """Say once where keys came from that were not in their files, and which files others could read."""
    logger = log.get_logger(__name__)
    for source in (Source.EARLIER, Source.RAW, Source.MADE):
        files = [f"{index}/{name}" for index, node in keys.items() for name, at in node.sources.items() if at is source]
        if files:
            directory = str(config.secrets.nodes)
            logger.info("keys_written", origin=source.value, directory=directory, files=files)
    if opened := [str(path) for node in keys.values() for path in node.opened]:
        logger.warning("key_files_were_open_to_others", files=opened)


def _check_different(config: OperatorConfig, keys: Mapping[int, NodeKeys]) -> None:
    """Raise SharedKey if two nodes have one key: each would be taken for the other."""
    owners: dict[str, Path] = {}
    for index, node in keys.items():
        named = {key_files.EVM_FILE: node.evm.id, key_files.P2P_FILE: node.p2p.id}
        if node.ocr is not None:
            named[key_files.OCR_FILE] = node.ocr.id
        if node.ocr2 is not None:
            named[key_files.OCR2_FILE] = node.ocr2.id
        for name, key_id in named.items():
            path = config.secrets.node(index) / name
            if (other := owners.setdefault(key_id, path)) != path:
                raise SharedKey(path, other)


def _write(config: OperatorConfig, node: NodeIdentity, keys: NodeKeys, nodes: tuple[NodeIdentity, ...]) -> None:
    directory = config.data.node(node.index)
    private_directory.make(directory)
    _bring(directory / CONFIG_FILE, config_toml(config, node, nodes))
    _bring(directory / SECRETS_FILE, secrets_toml(config, node, keys))
    _bring(directory / CREDENTIALS_FILE, api_credentials(config))


def _bring(path: Path, content: str) -> None:
    """Replace a file unless it has that content: a file's time tells when it last changed."""
    if path.exists() and path.read_bytes() == content.encode():
        path.chmod(private_directory.FILE_MODE)
        return
    atomic_file.replace(path, content, private_directory.FILE_MODE)
