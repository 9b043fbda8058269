"""Links and paths in pages."""

from pathlib import PurePath

import pytest

from scripts.checks import links

PAGES = {
    PurePath("README.md"): "# top\n",
    PurePath("docs/a.md"): "# A page\n\n## …a `port` is in use\n\n### Twice\n\n### Twice\n\n```\n# no heading\n```\n",
    PurePath("docs"): "",
}


def broken(text: str) -> list[str]:
    """Return the broken links of a page of docs/."""
    return list(links.broken_links(PurePath("docs/b.md"), text, PAGES.get))


@pytest.mark.parametrize(
    "target",
    [
        "a.md", "../README.md", "../docs", "a.md#a-page", "a.md#a-port-is-in-use", "a.md#twice-1", "#here",
        "https://example.org/x", "mailto:somebody@example.org",
    ],
)  # fmt: skip
def test_good_links(target: str) -> None:
    """Files, folders and headings, seen from the page, and addresses elsewhere, which nobody asks."""
    assert [] == broken(f"## Here\n\nSee [this]({target}).\n")


@pytest.mark.parametrize("target", ["c.md", "README.md", "a.md#port", "a.md#twice-2", "#there", "a.md#no-heading"])
def test_broken_links(target: str) -> None:
    """What is not there is named."""
    assert [f"docs/b.md: {target}: "] == [line[: len(f"docs/b.md: {target}: ")] for line in broken(f"[x]({target})")]


def test_links_in_examples_are_none() -> None:
    """What stands in a block of code is no link."""
    assert [] == broken("```\n[x](nowhere.md)\n```\n")


def lost(text: str) -> list[str]:
    """Return the lost paths of a page in a tree of three files."""
    here = {"services/oracle/node.py", "docs", "Makefile.py", "tests/oracle/test_x.py"}
    tops = frozenset({"services", "docs", "tests", "Makefile.py"})
    return list(links.lost_paths(PurePath("tests/README.md"), text, tops, lambda name: name in here))


def test_paths_of_the_tree_must_exist() -> None:
    """A path is looked for from the top and from the page's folder."""
    assert [] == lost("`services/oracle/node.py`, `docs/`, `Makefile.py`")
    assert ["tests/README.md: `services/oracle/gone.py` does not exist"] == lost("`services/oracle/gone.py`")


def test_what_is_no_path_of_the_tree_is_left_alone() -> None:
    """Commands, keys, and files of a running mesh are other things."""
    assert [] == lost("`make run`, `BTC / USD`, `solution.mesh`, `/run/feedmesh/a.sock`, `restart-count`, `data/logs`")
