"""
Look for files of installed packages that are gone or were emptied: python scripts/check_venv.py SITE_PACKAGES.

Prints the first one and exits with 1. Needs nothing installed, since it looks at an environment that may be broken.
"""

import csv
import os
import sys
from pathlib import Path


def damaged(site: Path) -> str | None:
    """Return the first file that its package's RECORD has and the disk has not, None if all are there."""
    for record in sorted(site.glob("*.dist-info/RECORD")):
        with record.open(newline="") as rows:
            for name, _, size in csv.reader(rows):
                try:
                    found = os.stat(f"{site}/{name}").st_size  # noqa: PTH116  # eight thousand, each time make is called
                except OSError:
                    found = -1
                # Some packages install files of the same name over each other, so other sizes say nothing. Python
                # makes compiled files by itself.
                if (found < 0 or (found == 0 and size not in ("", "0"))) and not name.endswith(".pyc"):
                    return f"{record.parent.name.removesuffix('.dist-info')}: {name}"
    return None


if __name__ == "__main__":
    problem = damaged(Path(sys.argv[1]))
    if problem:
        print(problem)
    sys.exit(problem is not None)
