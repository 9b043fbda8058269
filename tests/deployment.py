"""A deployment's file that a mesh can be made of: the signed one of the vectors, with what that leaves open."""

import copy
import json
from pathlib import Path
from typing import Any, Final

SIGNED: Final = Path(__file__).parent / "vectors" / "configuration.signed.json"
KEYS: Final = Path(__file__).parent / "vectors" / "configuration-signature.json"
_DOCUMENT: Final[dict[str, Any]] = json.loads(SIGNED.read_text())
# What one transmission costs at the gas price of the file.
TRANSMISSION_WEI: Final = 500_000 * 10_000_000_000


def deployment(**mesh: Any) -> dict[str, Any]:
    """Return a whole document with a feed, a contract for it, and top-ups that pay for transmissions."""
    document = copy.deepcopy(_DOCUMENT)
    del document["solution"]["signature"]
    document["solution"] |= {"faucetMinWei": TRANSMISSION_WEI, "faucetTopupWei": 10 * TRANSMISSION_WEI}
    document["solution"]["mesh"] = {"feeds": ["BTC / USD"], "contracts": {"deploy": True}} | mesh
    return document


def written(path: Path, document: object) -> Path:
    """Write a document as configuration.json into a directory."""
    file = path / "configuration.json"
    file.write_text(json.dumps(document, indent=2))
    return file
