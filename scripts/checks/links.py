"""
Check what the documentation points to: links to files and headings, and paths between backticks.

    python -m scripts.checks.links
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath
from typing import Final

from scripts.checks.report import ROOT, end, tracked

_FENCE: Final = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_LINK: Final = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING: Final = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
_CODE: Final = re.compile(r"`([^`\n]+)`")
_PATH: Final = re.compile(r"\.?[\w@-]+(/[\w.*<>-]+)+/?|[\w-]+\.(py|md|json|toml|lock|proto|sol|sh|yaml)")


def anchors(text: str) -> set[str]:
    """Return what can stand after `#` in a link to a page: its headings, as GitHub spells them."""
    seen: Counter[str] = Counter()
    found = set()
    for heading in _HEADING.findall(_FENCE.sub("", text)):
        words = re.sub(r"[^\w\- ]", "", re.sub(r"`|\*\*|\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower())
        name = words.strip().replace(" ", "-")
        found.add(name if not seen[name] else f"{name}-{seen[name]}")
        seen[name] += 1
    return found


def broken_links(page: PurePath, text: str, read: Callable[[PurePath], str | None]) -> Iterator[str]:
    """
    Yield the links of a page that lead nowhere.

    `read` returns a file's text by its path from the root, the empty text for a folder, None for what is not there.
    """
    for target in _LINK.findall(_FENCE.sub("", text)):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        path = _normal(page.parent / file) if file else page
        found = text if path == page else read(path)
        if found is None:
            yield f"{page}: {target}: there is no {path}"
        elif anchor and anchor not in anchors(found):
            yield f"{page}: {target}: {path} has no such heading"


def lost_paths(page: PurePath, text: str, tops: frozenset[str], exists: Callable[[str], bool]) -> Iterator[str]:
    """
    Yield the paths between backticks that lead nowhere.

    A path is one whose first part is at the top of the tree, seen from there or from the page's folder; names of files
    that are made while a mesh runs are no such paths. `*` and `<…>` stand for anything.
    """
    for word in _CODE.findall(_FENCE.sub("", text)):
        if not _PATH.fullmatch(word) or (word.split("/")[0] not in tops if "/" in word else word not in tops):
            continue
        pattern = re.sub(r"<[^>]*>", "*", word).rstrip("/")
        if not exists(pattern) and not exists(str(page.parent / pattern)):
            yield f"{page}: `{word}` does not exist"


def _normal(path: PurePath) -> PurePath:
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            parts = parts[:-1]
        else:
            parts.append(part)
    return PurePath(*parts)


def faults(root: Path) -> Iterator[str]:
    """Yield everything that leads nowhere in any page of the repository."""
    tops = frozenset(path.parts[0] for path in tracked(root=root))

    def read(path: PurePath) -> str | None:
        found = root / path
        return "" if found.is_dir() else found.read_text() if found.is_file() else None

    for page in tracked("*.md", root=root):
        text = (root / page).read_text()
        yield from broken_links(page, text, read)
        yield from lost_paths(page, text, tops, lambda pattern: any(root.glob(pattern)))


if __name__ == "__main__":
    end(faults(ROOT))
