"""
The embedded profile: nothing but a generated configuration.json in the data directory.

Secrets are made once and kept, since databases and key files depend on them; everything else is written anew.
"""

import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson

from cli.embedded import feeds, timing
from cli.errors import CliError, UsageError
from meshkit import atomic_file
from meshkit.configuration.mesh import MOST_NODES
from meshkit.paths import DataDir

CHAIN_ID = 1337  # libocr has no minimum timings for it
FEWEST_NODES = 5

_SECRETS: dict[str, Callable[[], str]] = {
    "pgPassword": lambda: secrets.token_hex(24),
    "chainlinkPassword": lambda: secrets.token_hex(16),
    "chainlinkKeystorePassword": lambda: secrets.token_hex(24),
    "faucetPrivateKey": lambda: "0x" + secrets.token_hex(32),
}


def check_arguments(nodes: int, feed_names: Sequence[str]) -> None:
    """Raise UsageError unless the number of nodes and every feed name is allowed."""
    if not FEWEST_NODES <= nodes <= MOST_NODES - 8:
        raise UsageError(
            f"NODES (--nodes): found {nodes}, allowed {FEWEST_NODES} to {MOST_NODES - 8}: "
            "one bootstrap node and 4 to 31 oracles"
        )
    feeds.check(feed_names)


def write(data_dir: Path, run_dir: Path, nodes: int, feed_names: Sequence[str], port_offset: int = 0) -> Path:
    """
    Write the configuration of the embedded profile and return its path.

    `port_offset` is added to every port, so that several meshes fit on one machine. Raises CliError if the data
    directory cannot be used.
    """
    path = DataDir(data_dir).configuration
    try:
        # PostgreSQL's account must be able to enter; what is secret has a mode of its own.
        data_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
        kept = _kept_secrets(path)
        document = {"solution": document_for(data_dir, run_dir, nodes, feed_names, port_offset, kept)}
        atomic_file.replace(path, orjson.dumps(document, option=orjson.OPT_INDENT_2), 0o600)
    except OSError as error:
        raise CliError(
            f"data directory {data_dir}: {error.strerror} ({error.filename})",
            "choose another with --data-dir or make it writable",
        ) from error
    return path


def _kept_secrets(path: Path) -> dict[str, str]:
    try:
        earlier = orjson.loads(path.read_bytes())["solution"]
        return {name: str(earlier[name]) for name in _SECRETS}
    except FileNotFoundError:
        return {name: make() for name, make in _SECRETS.items()}
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise CliError(
            f"{path} is not a configuration of the embedded profile ({error!r})",
            f"remove the data directory {path.parent} to begin anew",
        ) from error


def document_for(
    data_dir: Path, run_dir: Path, nodes: int, feed_names: Sequence[str], port_offset: int, kept: dict[str, str]
) -> dict[str, Any]:
    """Return `solution` of the embedded profile as JSON values."""
    rpc, market, aggregator = 8545 + port_offset, 8600 + port_offset, 3000 + port_offset
    return {
        **kept,
        "pgPort": 5432 + port_offset,
        "chainlinkEmail": "operator@feedmesh.example",
        "chainlinkChainId": CHAIN_ID,
        "chainlinkNodeName": "devchain",
        "chainlinkRpcHttpUrl": f"http://127.0.0.1:{rpc}",
        "chainlinkRpcWsUrl": f"ws://127.0.0.1:{rpc}",
        "chainlinkGasPrice": 1_000_000_000,
        "faucetMinWei": 10**18,
        "faucetTopupWei": 2 * 10**18,
        "balanceTopupCheckIntervalMs": 60_000,
        # A laptop's mesh is played with: kill -9 of everything in turn must not end it.
        "maxRestarts": 10,
        "setConfigBatchSize": 50,
        "spSecretsDir": str(DataDir(data_dir).secrets),
        "totalNodes": nodes,
        "bootstrapNodes": 1,
        "priceAggregatorConfig": {
            "port": aggregator,
            "quotes": {"requestTimeoutMs": timing.request_timeout_ms(len(feed_names))},
            "refetch": {"staleTriggerBeforeExpiry": 1000},
            "sources": {
                name: {
                    "baseUrl": f"http://127.0.0.1:{market}/{name}",
                    "ttl": timing.price_ttl_ms(len(feed_names)),
                    "timeoutMs": 2000,
                    "rps": 50,
                    "refetch": True,
                    # The simulated market takes any key, but some sources are off without one.
                    **({"apiKey": "simulated-market"} if name == "cryptocompare" else {}),
                }
                for name in feeds.sources(feed_names)
            },
        },
        "mesh": {
            "runtime": "embedded",
            "dataDir": str(data_dir),
            "runDir": str(run_dir),
            "feeds": list(feed_names),
            "ports": {
                "metrics": 3003 + port_offset,
                "nodeApiBase": 6600 + port_offset,
                "nodeP2PBase": 9900 + port_offset,
            },
            "devchain": {"enabled": True, "port": rpc, "blockTimeSeconds": 1},
            "market": {"enabled": True, "port": market, "seed": 1},
            "keystore": {"scryptN": 4096},
            # Twenty for the pool of each node, one for somebody who looks, and some for the server itself.
            "postgres": {"maxConnections": max(200, 21 * nodes + 20)},
            "contracts": {"deploy": True},
            "ocr": timing.ocr(len(feed_names)),
        },
    }
