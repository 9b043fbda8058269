"""
What can go wrong with the development chain.

MeshError
├── FailedPrecondition
│   └── AnvilMissing        there is no anvil binary on this machine
├── InvalidInput            a command-line value is not what it must be (meshkit's own)
└── Unavailable
    ├── AnvilNotReady       anvil ended, or did not answer in time
    └── RpcFailed           anvil refused or did not answer a JSON-RPC call
SnapshotUnreadable          a snapshot file is torn or not a chain state; the next one is tried
"""

from __future__ import annotations

from pathlib import Path

from meshkit.errors import FailedPrecondition, Unavailable


class AnvilMissing(FailedPrecondition):
    """There is no anvil binary on this machine."""

    def __init__(self, looked_in: Path) -> None:
        super().__init__(
            f"anvil was found neither at {looked_in} nor on the PATH: run `npm ci` in the checkout, "
            "or install Foundry 1.7 (https://getfoundry.sh) so that `anvil` is on the PATH"
        )


class AnvilNotReady(Unavailable):
    """Anvil ended, or did not answer in time."""

    def __init__(self, exit_code: int | None, waited_s: float, output: str) -> None:
        what = f"ended with code {exit_code}" if exit_code is not None else f"gave no answer in {waited_s:.0f} s"
        super().__init__(f"anvil {what}; its last words: {output or '(none)'}")
        self.exit_code = exit_code


class RpcFailed(Unavailable):
    """Anvil refused or did not answer a JSON-RPC call."""

    def __init__(self, method: str, problem: str) -> None:
        super().__init__(f"{method} failed: {problem}")
        self.method = method


class SnapshotUnreadable(Exception):
    """A snapshot file is torn or not a chain state."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(path, problem)
        self.path = path
        self.problem = problem

    def __str__(self) -> str:
        return f"snapshot {self.path} cannot be read: {self.problem}"
