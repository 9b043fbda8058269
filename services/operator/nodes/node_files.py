"""Every node's files: keys, config.toml, secrets.toml and apicredentials, as Chainlink 2.27 reads them."""

import asyncio
import os
from dataclasses import dataclass
from typing import Any

import tomlkit
from tomlkit.items import Array

from services.operator.config import OperatorConfig
from services.operator.nodes import key_files, private_files
from services.operator.nodes.identity import NodeIdentity, bootstrappers
from services.operator.nodes.key_files import NodeKeys

CONFIG_FILE = "config.toml"
SECRETS_FILE = "secrets.toml"
CREDENTIALS_FILE = "apicredentials"
# More than one transmit of 31 oracles takes (235 thousand).
_GAS_LIMIT = 500_000
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
            return await asyncio.to_thread(key_files.ensure, directory, password, config.scrypt_n, with_ocr=with_ocr)

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


def config_toml(config: OperatorConfig, node: NodeIdentity, nodes: tuple[NodeIdentity, ...]) -> str:
    """Return a node's config.toml: every key that must differ from Chainlink's defaults to run many on one host."""
    chain, listen = config.chain, f"127.0.0.1:{config.ports.node_p2p(node.index)}"
    others = [peer for peer in nodes if peer.index != node.index]
    price = f"{chain.gas_price_wei} wei"
    document: dict[str, Any] = {
        # Keys of the root must stand before any table.
        "RootDir": str(config.data.node_home(node.index)),
        "ShutdownGracePeriod": "10s",
        "Feature": {"FeedsManager": False, "LogPoller": False, "CCIP": False},
        "Database": {
            "MaxOpenConns": 20,
            "MaxIdleConns": 5,
            # The supervisor runs one process a database; a killed one must not block its successor for 10 s.
            "Lock": {"LeaseDuration": "4s", "LeaseRefreshInterval": "1s"},
        },
        "Log": {"Level": "info", "JSONConsole": True, "File": {"MaxSize": "0b"}},
        "WebServer": {
            "HTTPPort": config.ports.node_api(node.index),
            "ListenIP": "127.0.0.1",
            "SecureCookies": False,
            "SessionTimeout": "24h",
            "HTTPMaxSize": "1mb",
            "TLS": {"HTTPSPort": 0},
            "RateLimit": {
                "Authenticated": 10_000,
                "AuthenticatedPeriod": "1m",
                "Unauthenticated": 100,
                "UnauthenticatedPeriod": "20s",
            },
        },
        "JobPipeline": {
            "MaxSuccessfulRuns": 100,
            "ReaperInterval": "10m",
            "ReaperThreshold": "1h",
            "HTTPRequest": {"DefaultTimeout": "10s", "MaxSize": "256kb"},
        },
        "OCR": {"Enabled": True},
        "P2P": {
            "PeerID": node.peer_id,
            "V2": {
                "Enabled": True,
                "ListenAddresses": [listen],
                "AnnounceAddresses": [listen],
                "DefaultBootstrappers": list(bootstrappers(tuple(others), config.ports.node_p2p_base)),
                # The peers are on this host: find them in a second, not in a minute.
                "DeltaDial": "1s",
                "DeltaReconcile": "2s",
            },
        },
        "EVM": [
            {
                "ChainID": str(chain.chain_id),
                "FinalityDepth": 10,
                "MinIncomingConfirmations": 1,
                "NoNewHeadsThreshold": "0s",
                "LogPollInterval": "1s",
                "GasEstimator": {
                    "Mode": "FixedPrice",
                    "PriceDefault": price,
                    "PriceMin": "1 wei",
                    "PriceMax": f"{max(1000 * 10**9, chain.gas_price_wei)} wei",
                    "LimitDefault": _GAS_LIMIT,
                    "EIP1559DynamicFees": False,
                    "BumpMin": "100 wei",
                    "BumpPercent": 20,
                    "BumpThreshold": 3,
                },
                "OCR": {"ContractConfirmations": 1},
                "Nodes": [{"Name": chain.name, "WSURL": chain.ws_url, "HTTPURL": chain.http_url}],
            }
        ],
    }
    return _toml(document)


def secrets_toml(config: OperatorConfig, node: NodeIdentity, keys: NodeKeys) -> str:
    """Return a node's secrets.toml: its database, its keystore's password, and the keys it imports at every start."""
    credentials, role = config.credentials, f"chainlink_node_{node.index}"
    url = (
        f"postgresql://{role}:{credentials.database_password(node.index)}"
        f"@127.0.0.1:{config.ports.postgres}/{role}?sslmode=disable"
    )
    password = credentials.keystore_password
    return _toml(
        {
            "Database": {"URL": url},
            "Password": {"Keystore": password},
            "EVM": {"Keys": [{"ID": config.chain.chain_id, "JSON": keys.evm_export, "Password": password}]},
            "P2PKey": {"JSON": keys.p2p_export, "Password": password},
        }
    )


def _write(config: OperatorConfig, node: NodeIdentity, keys: NodeKeys, nodes: tuple[NodeIdentity, ...]) -> None:
    directory, credentials = config.data.node(node.index), config.credentials
    private_files.write(directory / CONFIG_FILE, config_toml(config, node, nodes))
    private_files.write(directory / SECRETS_FILE, secrets_toml(config, node, keys))
    private_files.write(directory / CREDENTIALS_FILE, f"{credentials.api_email}\n{credentials.api_password}\n")


def _toml(document: dict[str, Any]) -> str:
    rendered = tomlkit.document()
    for name, value in document.items():
        rendered[name] = _tables(value)
    return tomlkit.dumps(rendered)


def _tables(value: Any) -> Any:
    """Turn nested dictionaries into tables and lists of them into arrays of tables."""
    if isinstance(value, dict):
        table = tomlkit.table()
        for name, item in value.items():
            table[name] = _tables(item)
        return table
    if isinstance(value, list) and value and isinstance(value[0], dict):
        tables = tomlkit.aot()
        for item in value:
            tables.append(_tables(item))
        return tables
    if isinstance(value, list):
        array: Array = tomlkit.array()
        array.extend(value)
        return array
    return value
