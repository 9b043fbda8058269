"""
The embedded profile: nothing but a generated configuration.json in the data directory.

Secrets are made once and kept, since databases and key files depend on them; everything else is written anew.
"""

import os
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson

from cli.errors import CliError, UsageError
from devkit.market.assets import ASSETS
from meshkit import feeds
from meshkit.configuration.mesh import MOST_NODES
from meshkit.paths import DataDir

CHAIN_ID = 1337  # libocr has no minimum timings for it
FEWEST_NODES = 5
SOURCES = ("binance", "kraken", "coinbase")

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
    if not feed_names:
        raise UsageError("FEEDS (--feeds): found none, allowed: one or more feed names, separated by commas")
    for name in feed_names:
        if name not in feeds.load():
            raise UsageError(f"FEEDS (--feeds): {feeds.unknown(name)}")
        if feeds.get(name).kind != "direct":
            raise UsageError(
                f"FEEDS (--feeds): {name!r} is computed, not priced by sources of its own, which only networks of a "
                "configuration file run (feedmesh up); allowed here: feeds such as BTC / USD"
            )
        if not set(SOURCES) & set(feeds.get(name).sources):
            raise UsageError(f"FEEDS (--feeds): {name!r} is priced by none of {', '.join(SOURCES)}")
        if missing := {feeds.get(name).base, feeds.get(name).quote} - set(ASSETS):
            raise UsageError(f"FEEDS (--feeds): {name!r}: the simulated market does not trade {', '.join(missing)}")
    if len(set(feed_names)) != len(feed_names):
        raise UsageError("FEEDS (--feeds): a feed is named twice")


def parse_feeds(text: str) -> tuple[str, ...]:
    """Return the feed names of a comma-separated list."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


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
        temporary = path.with_suffix(".json.tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(orjson.dumps(document, option=orjson.OPT_INDENT_2))
        temporary.replace(path)
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
        "totalNodes": nodes,
        "bootstrapNodes": 1,
        "priceAggregatorConfig": {
            "port": aggregator,
            "quotes": {"requestTimeoutMs": 4000},
            "refetch": {"staleTriggerBeforeExpiry": 1000, "batchInterval": 100, "minTimeBetweenRefreshes": 500},
            "sources": {
                name: {
                    "baseUrl": f"http://127.0.0.1:{market}/{name}",
                    "ttl": 2000,
                    "timeoutMs": 2000,
                    "rps": 50,
                    "refetch": True,
                }
                for name in SOURCES
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
            "postgres": {"maxConnections": 200},
            "contracts": {"deploy": True},
            "ocr": {
                "deltaProgressMs": 5000,
                "deltaResendMs": 1000,
                "deltaRoundMs": 2000,
                "deltaGraceMs": 500,
                "deltaCMs": 10_000,
                "alphaPpb": 1,
                "deltaStageMs": 2000,
                "rMax": 4,
            },
        },
    }
