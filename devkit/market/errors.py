"""
Errors of the market simulator.

MeshError
├── NotFound
│   ├── UnknownAsset    no such asset exists on this market
│   └── UnknownSource   no such exchange is simulated
└── InvalidInput        a malformed pair, time or fault
"""

import difflib
from collections.abc import Iterable

from devkit.market.assets import ASSETS
from meshkit.errors import NotFound


class UnknownAsset(NotFound):
    """Say that an asset does not exist on this market."""

    def __init__(self, name: str) -> None:
        super().__init__("asset", name)

    def __str__(self) -> str:
        near = difflib.get_close_matches(self.name.upper(), ASSETS, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        return f"no asset {self.name!r} on this market{hint}"


class UnknownSource(NotFound):
    """Say that an exchange is not simulated."""

    def __init__(self, name: str, allowed: Iterable[str]) -> None:
        super().__init__("source", name)
        self.allowed = ", ".join(sorted(allowed))

    def __str__(self) -> str:
        return f"no source {self.name!r}; allowed: {self.allowed}"
