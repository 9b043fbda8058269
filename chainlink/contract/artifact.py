"""Compiled contracts: `node contracts/compile.js` writes what this module reads."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_ARTIFACTS = Path(__file__).with_name("artifacts")


class UnknownArtifact(LookupError):
    """No contract of this name was compiled."""

    def __init__(self, name: str, allowed: tuple[str, ...]) -> None:
        super().__init__(name, allowed)
        self.name = name
        self.allowed = allowed

    def __str__(self) -> str:
        return f"contract artifact {self.name!r} does not exist; allowed: {', '.join(self.allowed)}"


@dataclass(frozen=True, slots=True)
class Artifact:
    """Hold one compiled contract: the ABI as its compiler gives it, and the creation code as 0x-prefixed hex."""

    name: str
    abi: list[dict[str, Any]]
    bytecode: str
    deployed_bytecode: str
    compiler: str


def names() -> tuple[str, ...]:
    """Return the names that `load` takes, sorted; test-only contracts begin with `test/`."""
    return tuple(sorted(str(path.relative_to(_ARTIFACTS).with_suffix("")) for path in _ARTIFACTS.rglob("*.json")))


@cache
def load(name: str) -> Artifact:
    """Return the artifact of a contract, for example `OffchainAggregator`; raises `UnknownArtifact`."""
    if name not in names():
        raise UnknownArtifact(name, names())
    content = json.loads((_ARTIFACTS / f"{name}.json").read_text(encoding="utf-8"))
    return Artifact(
        name=content["contractName"],
        abi=content["abi"],
        bytecode=content["bytecode"],
        deployed_bytecode=content["deployedBytecode"],
        compiler=content["compiler"]["version"],
    )
