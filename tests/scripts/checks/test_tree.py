"""The rules for the shape of the tree, each with a tree that breaks it."""

from pathlib import PurePath

from scripts.checks import tree
from scripts.checks.report import ROOT


def paths(*names: str) -> list[PurePath]:
    """Return the names as paths."""
    return [PurePath(name) for name in names]


def test_a_folder_may_hold_fourteen_files() -> None:
    """The fifteenth is too many; package files do not count."""
    files = paths(*(f"services/a/m{number}.py" for number in range(14)), "services/a/__init__.py")
    assert [] == list(tree.crowded(files))
    assert ["services/a: 15 source files, allowed 14: group them by what they do"] == list(
        tree.crowded([*files, PurePath("services/a/one_more.py")])
    )


def test_folders_with_a_file_for_each_provider_may_be_large() -> None:
    """There are as many sources as there are providers."""
    assert [] == list(tree.crowded(paths(*(f"services/a/sources/m{number}.py" for number in range(30)))))


def test_names_that_say_nothing_are_found() -> None:
    """Modules and packages alike."""
    found = list(tree.misnamed(paths("cli/utils.py", "services/core/__init__.py", "services/a/core_price.py")))
    assert ["cli/utils.py", "services/core"] == [line.partition(":")[0] for line in found]


def test_long_modules_and_package_files_with_code_are_found() -> None:
    """Five hundred lines are the most; a package file is empty."""
    texts = {
        PurePath("cli/a.py"): "x\n" * 500,
        PurePath("cli/b.py"): "x\n" * 501,
        PurePath("cli/__init__.py"): "\n",
        PurePath("services/__init__.py"): "import os\n",
    }
    assert ["cli/b.py: 501 lines, allowed 500", "services/__init__.py: package files are empty"] == list(
        tree.oversized(texts)
    )


def test_a_test_lies_where_its_module_lies() -> None:
    """A module, a package and a `__main__` have tests of their names; others must be listed, and only they."""
    files = paths(
        "services/oracle/p2p/frames.py",
        "services/oracle/chain/__init__.py",
        "services/oracle/__main__.py",
        "tests/oracle/p2p/test_frames.py",
        "tests/oracle/test_chain.py",
        "tests/oracle/test_main.py",
        "tests/oracle/test_frames.py",
        "tests/oracle/test_storm.py",
        "tests/mesh/test_mesh.py",
    )
    listed = frozenset({"oracle/test_storm.py", "oracle/p2p/test_frames.py"})
    assert [
        "tests/oracle/test_frames.py: no module has this name, and tests/README.md does not say what it tests",
        "tests/README.md: oracle/p2p/test_frames.py is listed, but is gone or has a module of its name",
    ] == list(tree.astray(files, listed))


def test_the_list_is_read_from_the_page() -> None:
    """Only lines of the list that say what is tested count, whatever else the page names."""
    text = "See `a/test_x.py`.\n\n- `oracle/test_storm.py`: storms\n- `p/q/test_y.py`: more\n- `p/test_z.py`: \n"
    assert frozenset({"oracle/test_storm.py", "p/q/test_y.py"}) == tree.entries(text)


def test_our_list_has_entries() -> None:
    """The page that `make check` compares with the tests is there and is understood."""
    assert len(tree.entries((ROOT / tree.LIST).read_text())) > 10
