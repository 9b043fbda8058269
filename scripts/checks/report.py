"""How a check ends: one line for each fault, and exit code 1 if there is one."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def end(faults: Iterable[str]) -> None:
    """Print the faults and exit."""
    lines = list(faults)
    for line in lines:
        print(line)
    sys.exit(bool(lines))


def tracked(*patterns: str, root: Path = ROOT) -> list[Path]:
    """Return the files that git knows or would take, relative to the root; those that are gone are left out."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", *patterns]
    listed = subprocess.run(command, cwd=root, capture_output=True, check=True).stdout.decode().split("\0")
    return sorted({Path(name) for name in listed if name and (root / name).is_file()})
