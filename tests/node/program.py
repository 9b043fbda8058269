"""Where Chainlink's own program is, for the tests that need it."""

import os
from pathlib import Path
from typing import Final

HINT: Final = "name one by CHAINLINK_BIN, or run `make chainlink-node`"


def chainlink_program() -> Path | None:
    """Return the program that CHAINLINK_BIN names or that `make chainlink-node` has built, None if there is none."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    built = Path(os.environ.get("FEEDMESH_IMAGE_CACHE") or caches / "feedmesh" / "image") / "chainlink"
    program = Path(os.environ.get("CHAINLINK_BIN") or built)
    return program.absolute() if os.access(program, os.X_OK) else None
