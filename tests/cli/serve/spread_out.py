"""A configuration of a mesh that is spread out, for tests."""

import json
from pathlib import Path
from typing import Any

from meshkit.configuration.load import load
from meshkit.configuration.solution import Solution

SIGNED = Path(__file__).parents[2] / "vectors" / "configuration.signed.json"
HOSTS = [f"node-{index}.mesh.example" for index in range(1, 6)]


def document(directory: Path, **mesh: Any) -> dict[str, Any]:
    """Return a deployment's configuration, spread out, with what lasts below a directory."""
    found: dict[str, Any] = json.loads(SIGNED.read_text())
    solution = found["solution"]
    solution |= {
        "totalNodes": 5,
        "bootstrapNodes": 1,
        "nodesList": "1 2 3 4 5",
        "spSecretsDir": str(directory / "secrets"),
    }
    network = {
        "listenAddress": "0.0.0.0",
        "tlsDirectory": str(directory / "tls"),
        "aggregatorHost": "aggregator.mesh.example",
        "operatorHost": "operator.mesh.example",
        "nodeHosts": HOSTS,
    }
    ours = {
        "dataDir": str(directory / "data"),
        "runDir": str(directory / "run"),
        "runtime": "embedded",
        "keystore": {"scryptN": 2},
        "network": network,
    }
    solution["mesh"] = ours | mesh
    return found


def write(directory: Path, **mesh: Any) -> Path:
    """Write that configuration and return its file."""
    path = directory / "configuration.json"
    path.write_text(json.dumps(document(directory, **mesh)))
    return path


def solution(directory: Path, **mesh: Any) -> Solution:
    """Return that configuration, validated."""
    return load(write(directory, **mesh)).solution
