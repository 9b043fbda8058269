"""
Check the shape of the tree: how many files a folder has, how long they are, what they are called, where tests lie.

    python -m scripts.checks.tree
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePath
from typing import Final

from scripts.checks.report import ROOT, end, tracked

CODE: Final = ("chainlink", "cli", "devkit", "meshkit", "scripts", "services")
MOST_FILES: Final = 14
# One file for each provider: they are many because the providers are.
ONE_EACH: Final = frozenset({"sources", "streams", "dialects"})
MOST_LINES: Final = 500
# They say nothing of what is inside.
EMPTY_WORDS: Final = frozenset({"utils", "helpers", "common", "base", "core", "manager"})
# Where the tests of a package lie, by the package's folder.
MIRRORS: Final = {
    **{name: PurePath(name) for name in ("chainlink", "cli", "devkit", "meshkit", "scripts")},
    **{
        f"services/{name}": PurePath(name)
        for name in ("aggregator", "dbinit", "metrics", "operator", "oracle", "supervisor")
    },
}
# Tests of what several modules do together are listed here, so that nobody looks for a module of their name.
LIST: Final = PurePath("tests/README.md")


def crowded(files: Iterable[PurePath]) -> Iterator[str]:
    """Yield the folders with more source files than one can overlook."""
    counts = Counter(file.parent for file in files if file.name != "__init__.py")
    for folder, count in sorted(counts.items()):
        if count > MOST_FILES and folder.name not in ONE_EACH:
            yield f"{folder}: {count} source files, allowed {MOST_FILES}: group them by what they do"


def misnamed(files: Iterable[PurePath]) -> Iterator[str]:
    """Yield the modules and packages whose name says nothing."""
    names = {file if file.name != "__init__.py" else file.parent for file in files}
    for name in sorted(names):
        if name.stem in EMPTY_WORDS:
            yield f"{name}: a module is named for what is in it, and not {name.stem}"


def oversized(texts: Mapping[PurePath, str]) -> Iterator[str]:
    """Yield the modules that are too long, and package files that are not empty."""
    for file, text in sorted(texts.items()):
        if (lines := text.count("\n")) > MOST_LINES:
            yield f"{file}: {lines} lines, allowed {MOST_LINES}"
        if file.name == "__init__.py" and text.strip():
            yield f"{file}: package files are empty"


def astray(files: Iterable[PurePath], listed: frozenset[str]) -> Iterator[str]:
    """Yield the tests that have neither a module of their name in the mirrored place nor a line in the list."""
    known = set(files)
    tests = {file for file in known if file.parts[0] == "tests" and file.name.startswith("test_")}
    unmatched = set()
    for code, mirror in MIRRORS.items():
        for test in tests:
            if not test.is_relative_to("tests" / mirror):
                continue
            inside = test.relative_to("tests" / mirror)
            module = PurePath(code, inside.parent, inside.name.removeprefix("test_"))
            places = {module, module.with_suffix("") / "__init__.py", module.with_name(f"__{module.stem}__.py")}
            if not places & known:
                unmatched.add(str(test.relative_to("tests")))
    for name in sorted(unmatched - listed):
        yield f"tests/{name}: no module has this name, and {LIST} does not say what it tests"
    for name in sorted(listed - unmatched):
        yield f"{LIST}: {name} is listed, but is gone or has a module of its name"


def entries(text: str) -> frozenset[str]:
    """Return the test files that the list names, relative to tests/."""
    return frozenset(re.findall(r"^- `([\w/]+/test_\w+\.py)`: \S", text, re.MULTILINE))


def faults(root: Path) -> Iterator[str]:
    """Yield everything that is wrong with the tree."""
    code: list[PurePath] = [*tracked(*(f"{top}/*.py" for top in CODE), root=root)]
    tests: list[PurePath] = [*tracked("tests/*.py", root=root)]
    yield from crowded(code)
    yield from misnamed([*code, *tests])
    yield from oversized({file: (root / file).read_text() for file in [*code, *tests]})
    yield from astray([*code, *tests], entries((root / LIST).read_text()))


if __name__ == "__main__":
    end(faults(ROOT))
