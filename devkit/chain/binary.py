"""Where the anvil binary is."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from devkit.chain.errors import AnvilMissing

CHECKOUT = Path(__file__).resolve().parents[2]
_IN_CHECKOUT = Path("node_modules", "@foundry-rs", "anvil-linux-amd64", "bin", "anvil")


def find_anvil(root: Path = CHECKOUT, search_path: str | None = None) -> Path:
    """Return the checkout's pinned anvil, else the one on the PATH; raises `AnvilMissing`."""
    pinned = root / _IN_CHECKOUT
    if os.access(pinned, os.X_OK):
        return pinned
    found = shutil.which("anvil", path=search_path)
    if found is None:
        raise AnvilMissing(pinned)
    return Path(found)
