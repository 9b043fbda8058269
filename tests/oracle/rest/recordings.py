"""What a real node answered, and how an answer of ours is like it."""

import json
from pathlib import Path
from typing import Any

_VECTORS = Path(__file__).parents[2] / "vectors"
RECORDED: dict[str, Any] = json.loads((_VECTORS / "node-rest.json").read_text(encoding="utf-8"))
NEIGHBOURS: dict[str, Any] = json.loads((_VECTORS / "node-rest-neighbours.json").read_text(encoding="utf-8"))
# Links to other pages are there if there are any.
_OPTIONAL = {"links"}
# The values that a run's tasks could use have the names of its own tasks.
_OWN = {"inputs"}


def job_rows() -> dict[str, dict[str, Any]]:
    """Return all jobs that were posted, with the status and the text that came back."""
    more = {
        name: {
            **row,
            "toml": row["toml"].replace("@HEAD@", NEIGHBOURS["head"]).replace("@SOURCE@", NEIGHBOURS["source"]),
        }
        for name, row in NEIGHBOURS["jobs"].items()
    }
    return {**RECORDED["jobs"], **more}


def difference(wanted: Any, found: Any, path: str = "$") -> str:
    """Return where an answer has other keys or types; null stands for any type, lists are as their first items."""
    if wanted is None or found is None:
        return ""
    if isinstance(wanted, dict) and isinstance(found, dict):
        if other := (wanted.keys() ^ found.keys()) - _OPTIONAL:
            return f"{path}: {sorted(other)}"
        return next(
            (
                text
                for key in wanted
                if key in found and key not in _OWN and (text := difference(wanted[key], found[key], f"{path}.{key}"))
            ),
            "",
        )
    if isinstance(wanted, list) and isinstance(found, list):
        return difference(wanted[0], found[0], f"{path}[0]") if wanted and found else ""
    return "" if type(wanted) is type(found) else f"{path}: {type(wanted).__name__} {type(found).__name__}"
