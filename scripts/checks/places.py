"""
Check that no file names a place that only one machine has: a home, a checkout, a registry to download from.

    python -m scripts.checks.places
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Final

from scripts.checks.report import ROOT, end, tracked

_PATTERNS: Final = {
    "a path of one machine": re.compile(r"(?<![\w.@-])/(?:home/\w|root/|Users/\w|work/|opt/wheels|mnt/)"),
    # The lock files give hashes; where packages come from is each machine's own affair.
    "a registry": re.compile(
        r"\b(?:pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|yarnpkg\.com|proxy\.golang\.org|index\.docker\.io)\b"
    ),
}
# It has to name them to find them.
_SELF: Final = PurePath("scripts/checks/places.py")


def named(file: PurePath, text: str) -> Iterator[str]:
    """Yield the lines that name such a place."""
    for number, line in enumerate(text.splitlines(), 1):
        for what, pattern in _PATTERNS.items():
            if match := pattern.search(line):
                yield f"{file}:{number}: names {what}: {match[0]}"


def faults(root: Path) -> Iterator[str]:
    """Yield everything that is wrong in the repository's files of text."""
    for file in tracked(root=root):
        if file in (_SELF, PurePath("tests") / _SELF.parent / "test_places.py"):
            continue
        try:
            text = (root / file).read_text()
        except UnicodeDecodeError:
            continue
        yield from named(file, text)


if __name__ == "__main__":
    end(faults(ROOT))
