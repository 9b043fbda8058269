"""What the aggregator needs to run alone: a configuration that knows the simulated market as all of its sources."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path

from tests.ports import free_port

SECRETS = {
    "pgPassword": "p" * 16,
    "chainlinkPassword": "c" * 20,
    "chainlinkKeystorePassword": "k" * 20,
    "faucetPrivateKey": "0x" + "ab" * 32,
    "chainlinkEmail": "operator@example.com",
    "chainlinkChainId": 1337,
    "chainlinkRpcWsUrl": "ws://127.0.0.1:8545",
    "chainlinkRpcHttpUrl": "http://127.0.0.1:8545",
}


def write_configuration(
    directory: Path,
    *,
    market_url: str,
    sources: Collection[str],
    feeds: Collection[str],
    ttl_ms: int,
    streams: Collection[str] | Mapping[str, str] = (),
) -> tuple[dict[str, str], int]:
    """
    Write an aggregator's configuration; return its environment and its port.

    It streams some of the sources, from the market or from where a mapping says.
    """
    port = free_port()
    # The simulator is ours, so the limits of the real exchanges need not hold the bench up.
    source = {"ttl": ttl_ms, "refetch": True, "rps": 1000, "apiKey": "k" * 16}
    named: dict[str, dict[str, object]] = {name: {**source, "baseUrl": f"{market_url}/{name}"} for name in sources}
    for name in streams:
        of_market = f"{market_url.replace('http', 'ws', 1)}/{name}/ws"
        named[name]["stream"] = {"wsUrl": streams[name] if isinstance(streams, Mapping) else of_market}
    aggregator = {"port": port, "sources": named}
    document = {"solution": {**SECRETS, "priceAggregatorConfig": aggregator, "mesh": {"feeds": list(feeds)}}}
    path = directory / "configuration.json"
    path.write_text(json.dumps(document))
    return {"FEEDMESH_CONFIG": str(path), "FEEDMESH_RUN_DIR": str(directory)}, port
