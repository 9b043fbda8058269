"""The command line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.supervisor.test_plan import SIGNED


def run(path: Path) -> subprocess.CompletedProcess[str]:
    """Run the supervisor on a configuration that it must refuse."""
    command = [sys.executable, "-m", "services.supervisor", "--config", str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read: No such file or directory"),
        ("{", "is not JSON"),
        ('{"solution": {}}', "solution.pgPassword"),
    ],
)
def test_a_bad_configuration_is_one_line_and_exit_1(tmp_path: Path, text: str | None, message: str) -> None:
    """The error names the file and the field; there is no traceback."""
    path = tmp_path / "configuration.json"
    if text is not None:
        path.write_text(text)
    ran = run(path)

    assert (1, "") == (ran.returncode, ran.stderr)
    assert message in json.loads(ran.stdout)["error"]


def test_a_data_directory_that_cannot_be_made(tmp_path: Path) -> None:
    """The error names the setting and the path, and nothing was started."""
    (tmp_path / "file").touch()
    document = json.loads(SIGNED.read_text())
    mesh = {"dataDir": str(tmp_path / "file/data"), "runDir": str(tmp_path / "run"), "runtime": "embedded"}
    document["solution"]["mesh"] = mesh
    path = tmp_path / "configuration.json"
    path.write_text(json.dumps(document))
    ran = run(path)

    assert (1, "") == (ran.returncode, ran.stderr)
    assert f"solution.mesh.dataDir: {tmp_path}/file/data/logs cannot be made" in ran.stdout
    assert not (tmp_path / "run").exists()
