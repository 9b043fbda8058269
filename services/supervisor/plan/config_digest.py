"""
What of the configuration each service reads by itself, as one number.

A service is restarted by a new configuration only if its number differs. What a service does not read is listed, not
what it reads: a key that is forgotten here costs a restart too many, never one too few.
"""

import hashlib
from typing import Any, Final

from pydantic import BaseModel, SecretStr

from meshkit.configuration.solution import Solution

# These are in the plan itself, or nobody's.
_NOBODY: Final = {"max_restarts", "signature", "mesh.supervisor", "mesh.run_dir", "mesh.market"}
_DATABASE: Final = {"pg_user", "pg_password", "pg_database", "pg_port", "mesh.postgres"}
_PRICES: Final = {"price_aggregator_config"}
_METRICS: Final = {"metrics_push", "mesh.ports.metrics"}
_CHAIN: Final = {
    *("set_config_batch_size", "link_ca", "admin_contract_address", "diamond_contract_address", "faucet_private_key"),
    *("balance_topup_check_interval_ms", "faucet_min_wei", "faucet_topup_wei", "balance_topup_required"),
    *("mesh.feeds", "mesh.contracts", "mesh.ocr", "mesh.devchain", "chainlink_feed_templates_dir"),
    "chainlink_node_sc_address",
}
_NODES: Final = {
    *("chainlink_email", "chainlink_password", "chainlink_keystore_password", "chainlink_chain_id"),
    *("chainlink_node_name", "chainlink_rpc_ws_url", "chainlink_rpc_http_url", "chainlink_gas_price"),
    *("mesh.ports.node_api_base", "mesh.ports.node_p2p_base", "mesh.keystore", "mesh.supervision"),
}
_NUMBERS: Final = {"total_nodes", "bootstrap_nodes", "nodes_list", "primary_nodes"}

_UNREAD: Final = {
    "dbinit": _PRICES | _METRICS | _CHAIN | _NODES,
    "postgres": _PRICES | _METRICS | _CHAIN | _NODES | _NUMBERS | {"pg_user", "pg_password", "pg_database"},
    "postgres-bootstrap": _PRICES | _METRICS | _CHAIN | _NODES | _NUMBERS | {"pg_user", "pg_password", "pg_database"},
    "postgres-init": _PRICES | _METRICS | _CHAIN | _NODES,
    "price-aggregator": _METRICS | _DATABASE | _NODES | _NUMBERS | (_CHAIN - {"mesh.feeds"}),
    "process-metrics": _PRICES | _DATABASE | _CHAIN | _NODES | _NUMBERS,
    "operator": _METRICS | {"mesh.postgres"},
    # The operator writes a node's files of these.
    "node": _PRICES | _METRICS | _CHAIN | {"mesh.postgres", "total_nodes", "nodes_list", "primary_nodes"},
}


def digest(service: str, solution: Solution) -> str:
    """Return the digest of what a service reads; empty for one that reads nothing."""
    kind = "node" if service.startswith("chainlink-node-") else service
    if kind not in _UNREAD:
        return ""
    unread = _UNREAD[kind] | _NOBODY
    lines = [f"{path}={value!r}" for path, value in _leaves(solution, "") if not _is_below(path, unread)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _is_below(path: str, unread: set[str]) -> bool:
    parts = path.split(".")
    return any(".".join(parts[:length]) in unread for length in range(1, len(parts) + 1))


def _leaves(value: Any, path: str) -> list[tuple[str, object]]:
    items = dict(value) if isinstance(value, BaseModel) else value
    if isinstance(items, dict):
        dotted = f"{path}." if path else ""
        return [leaf for key, item in sorted(items.items()) for leaf in _leaves(item, f"{dotted}{key}")]
    return [(path, value.get_secret_value() if isinstance(value, SecretStr) else value)]
