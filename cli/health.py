"""
`feedmesh-health`: the container's health check.

It reads the verdict that the mesh writes and nothing else, so that a check costs a tenth of a second of a processor:
no library is imported. Exit code 0 if all is well, 1 if not; one line says why.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import NamedTuple

# So many periods without a new verdict, and a moment, and nobody judges any more.
_MISSED = 4
_GRACE_S = 10.0


class Health(NamedTuple):
    """Hold whether all is well, and one line that says why or why not."""

    well: bool
    words: str


def read(path: Path, now_ms: int) -> Health:
    """Return the verdict of a file, or that it cannot be trusted."""
    try:
        document = json.loads(path.read_bytes())
        well, words = document["well"] is True, str(document["words"])
        age_s, period_s = (now_ms - int(document["time_ms"])) / 1000, float(document["period_s"])
    except FileNotFoundError:
        return Health(False, f"no verdict yet: {path} does not exist (is the mesh running?)")
    except OSError as error:
        return Health(False, f"no verdict: {path}: {error.strerror}")
    except (ValueError, KeyError, TypeError) as error:
        return Health(False, f"no verdict: {path} is damaged ({error!r})")
    if age_s > _MISSED * period_s + _GRACE_S:
        return Health(False, f"the last verdict is {age_s:.0f} s old: process-metrics does not judge any more")
    return Health(well, words)


def main() -> int:
    """Print the verdict and return the exit code."""
    run_dir = Path(os.environ.get("FEEDMESH_RUN_DIR") or "/run/feedmesh")
    health = read(run_dir / "verdict" / "verdict.json", time.time_ns() // 1_000_000)
    print(health.words)
    return 0 if health.well else 1


if __name__ == "__main__":
    sys.exit(main())
