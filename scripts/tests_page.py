"""
The list in tests/README.md: every test that has no module of its name, with the first sentence of its docstring.

    python -m scripts.tests_page
"""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath
from typing import Final

from scripts.checks import tree
from scripts.checks.report import ROOT, tracked

HEADING: Final = "## What spans modules\n"


def entries(names: Iterable[str], root: Path) -> Iterator[str]:
    """Yield the lines of the list for tests, relative to tests/."""
    folder = ""
    for name in sorted(names):
        top = name.partition("/")[0]
        if top != folder:
            yield f"\n### {top}\n"
            folder = top
        words = ast.get_docstring(ast.parse((root / "tests" / name).read_text())) or ""
        yield f"- `{name}`: {' '.join(words.partition(chr(10) * 2)[0].split())}"


def unmatched(root: Path) -> list[str]:
    """Return the tests without a module of their name, relative to tests/."""
    files: list[PurePath] = [*tracked(*(f"{top}/*.py" for top in (*tree.CODE, "tests")), root=root)]
    return [fault.partition(":")[0].removeprefix("tests/") for fault in tree.astray(files, frozenset())]


def main(root: Path) -> None:
    """Write the list anew; what stands above its heading stays."""
    page = root / tree.LIST
    head = page.read_text().partition(HEADING)[0]
    page.write_text(
        "\n".join([head + HEADING + "\nMade by `make gen` of the files' docstrings.", *entries(unmatched(root), root)])
        + "\n"
    )


if __name__ == "__main__":
    main(ROOT)
