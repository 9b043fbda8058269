"""Which environments are taken for broken."""

from pathlib import Path

import pytest

from scripts import check_venv


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a directory with one installed package that has three files."""
    site = tmp_path / "lib/site-packages"
    files = {"thing/__init__.py": "", "thing/core.py": "x = 1\n", "../../bin/thing": "#!/bin/sh\n"}
    for name, text in files.items():
        path = site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    record = site / "thing-1.0.dist-info/RECORD"
    record.parent.mkdir()
    rows = [f"{name},sha256=abc,{len(text)}" for name, text in files.items()]
    record.write_text("\n".join([*rows, "thing/__pycache__/core.pyc,,", "thing-1.0.dist-info/RECORD,,", ""]))
    return site


def test_a_whole_one_is_left_alone(site: Path) -> None:
    """Empty files that are meant to be so, and compiled ones that nobody made yet, are no damage."""
    assert check_venv.damaged(site) is None


def test_a_file_of_another_size_is_no_damage(site: Path) -> None:
    """Packages install files over each other; who edits one knows it."""
    (site / "thing/core.py").write_text("x = 1000\n")
    assert check_venv.damaged(site) is None


@pytest.mark.parametrize("name", ["thing/__init__.py", "thing/core.py", "../../bin/thing"])
def test_a_file_that_is_gone_is_named(site: Path, name: str) -> None:
    """The package and the file are told, be it a module or a program."""
    (site / name).unlink()
    assert f"thing-1.0: {name}" == check_venv.damaged(site)


def test_a_file_that_was_emptied_is_named(site: Path) -> None:
    """A crash of the machine leaves files that are there and have nothing in them."""
    (site / "thing/core.py").write_text("")
    assert "thing-1.0: thing/core.py" == check_venv.damaged(site)
