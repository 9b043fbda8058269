"""The texts of a node's files, as Chainlink 2.27 reads them: config.toml, secrets.toml and apicredentials."""

from collections.abc import Sequence
from typing import Any

import tomlkit
from tomlkit.items import Array

from chainlink.identities.key_files import NodeKeys
from chainlink.rpc.endpoints import Endpoint
from meshkit.configuration.postgres_url import PostgresUrl
from services.operator.config import TRANSMISSION_GAS, OperatorConfig
from services.operator.nodes.identity import NodeIdentity, bootstrappers


def config_toml(config: OperatorConfig, node: NodeIdentity, nodes: tuple[NodeIdentity, ...]) -> str:
    """Return a node's config.toml: every key that must differ from Chainlink's defaults to run many on one host."""
    chain, listen = config.chain, f"127.0.0.1:{config.ports.node_p2p(node.index)}"
    others = [peer for peer in nodes if peer.index != node.index]
    price = f"{chain.gas_price_wei} wei"
    document: dict[str, Any] = {
        # Keys of the root must stand before any table.
        "RootDir": str(config.data.node_home(node.index)),
        "ShutdownGracePeriod": "10s",
        # OCR2 jobs learn of their contracts' configuration from the log poller.
        "Feature": {"FeedsManager": False, "LogPoller": True, "CCIP": False},
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
        "OCR2": {"Enabled": True, "ContractConfirmations": 1, "ContractPollInterval": "15s"},
        "P2P": {
            "PeerID": node.peer_id,
            "V2": {
                "Enabled": True,
                "ListenAddresses": [listen],
                "AnnounceAddresses": [listen],
                "DefaultBootstrappers": list(bootstrappers(tuple(others), config.ports)),
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
                # A contract of OCR2 tells its configuration by this poll; without one, each costs the endpoint in vain.
                "LogPollInterval": "1s" if config.has_ocr2 else "15s",
                "GasEstimator": {
                    "Mode": "FixedPrice",
                    "PriceDefault": price,
                    "PriceMin": "1 wei",
                    "PriceMax": f"{chain.most_gas_price_wei} wei",
                    "LimitDefault": TRANSMISSION_GAS,
                    "EIP1559DynamicFees": False,
                    "BumpMin": "100 wei",
                    "BumpPercent": 20,
                    "BumpThreshold": 3,
                },
                "OCR": {"ContractConfirmations": 1},
                "Nodes": _rpc_nodes(chain.endpoints),
            }
        ],
    }
    return _toml(document)


def _rpc_nodes(endpoints: Sequence[Endpoint]) -> list[dict[str, Any]]:
    nodes = [{"Name": one.name, "WSURL": one.ws_url, "HTTPURL": one.http_url} for one in endpoints]
    if len(nodes) == 1:
        return nodes
    return [node | {"Order": one.order} for node, one in zip(nodes, endpoints, strict=True)]


def secrets_toml(config: OperatorConfig, node: NodeIdentity, keys: NodeKeys) -> str:
    """Return a node's secrets.toml: its database, its keystore's password, and the keys it imports at every start."""
    credentials, role = config.credentials, f"chainlink_node_{node.index}"
    server = config.postgres or PostgresUrl("", "", "127.0.0.1", config.ports.postgres, "", "sslmode=disable")
    url = server.of(role, credentials.database_password(node.index), role)
    password = credentials.keystore_password
    return _toml(
        {
            "Database": {"URL": url},
            "Password": {"Keystore": password},
            "EVM": {"Keys": [{"ID": config.chain.chain_id, "JSON": keys.evm_export, "Password": password}]},
            "P2PKey": {"JSON": keys.p2p_export, "Password": password},
        }
    )


def api_credentials(config: OperatorConfig) -> str:
    """Return a node's apicredentials: the two lines that make the administrator of its API."""
    return f"{config.credentials.api_email}\n{config.credentials.api_password}\n"


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
