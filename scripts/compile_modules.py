"""
Compile what the mesh's processes import: python scripts/compile_modules.py SITE_PACKAGES LOCK_FILE DIRECTORY...

A dozen processes would otherwise compile the same modules at once in the first start. What only developers' tools need
is compiled when it is first used: that is more than half of all, and would double the time of the set-up.
"""

import compileall
import csv
import re
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

# Self-tests, and the languages and colours of a library that is here for another's sake.
_UNUSED = re.compile(r"(^|/)(tests?|SelfTest|pygments/(lexers|styles|formatters))/")
_CHUNK = 40


def modules(site: Path, lock: str) -> Iterator[Path]:
    """Yield the modules of the installed packages that a lock file pins."""
    pinned = {_folded(match[1]) for match in re.finditer(r"^([A-Za-z0-9._-]+)==", lock, re.MULTILINE)}
    for record in sorted(site.glob("*.dist-info/RECORD")):
        if _folded(record.parent.name.partition("-")[0]) in pinned:
            with record.open(newline="") as rows:
                for name, *_ in csv.reader(rows):
                    if name.endswith(".py") and not _UNUSED.search(name):
                        yield site / name


def _folded(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def main(site: Path, lock: Path, directories: list[Path]) -> None:
    """Compile all of it, on all processors. What has a syntax error says so when it is imported."""
    files = [*modules(site, lock.read_text()), *(file for each in directories for file in each.rglob("*.py"))]
    with ProcessPoolExecutor() as pool:
        list(pool.map(partial(compileall.compile_file, quiet=2), files, chunksize=_CHUNK))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), list(map(Path, sys.argv[3:])))
