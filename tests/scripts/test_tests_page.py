"""The list of tests that span modules."""

import subprocess
from pathlib import Path

from scripts import tests_page


def test_the_list_is_made_of_docstrings(tmp_path: Path) -> None:
    """A test without a module of its name is listed with its first paragraph; what stands above is kept."""
    files = {
        "tests/README.md": f"# Tests\n\nWords.\n\n{tests_page.HEADING}\nold\n",
        "services/oracle/p2p/frames.py": "",
        "tests/oracle/p2p/test_frames.py": '"""Frames."""\n',
        "tests/oracle/test_storm.py": '"""Storms,\nand more.\n\nMuch more.\n"""\n',
        "tests/dbinit/test_kills.py": '"""Kills."""\n',
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)

    tests_page.main(tmp_path)
    head, _, listed = (tmp_path / "tests/README.md").read_text().partition(tests_page.HEADING)

    assert "# Tests\n\nWords.\n\n" == head
    assert [
        "### dbinit",
        "- `dbinit/test_kills.py`: Kills.",
        "### oracle",
        "- `oracle/test_storm.py`: Storms, and more.",
    ] == [line for line in listed.splitlines()[3:] if line]
