"""The command line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deployment import deployment as document_of
from tests.deployment import written


def run(path: Path) -> subprocess.CompletedProcess[str]:
    """Run the supervisor on a configuration that it must refuse."""
    command = [sys.executable, "-m", "services.supervisor", "--config", str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read: No such file or directory"),
        ("{", "line 1: the file: found no JSON"),
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
    mesh = {"dataDir": str(tmp_path / "file/data"), "runDir": str(tmp_path / "run"), "runtime": "embedded"}
    ran = run(written(tmp_path, document_of(**mesh)))

    assert (1, "") == (ran.returncode, ran.stderr)
    assert f"solution.mesh.dataDir: {tmp_path}/file/data/logs cannot be made" in ran.stdout
    assert not (tmp_path / "run").exists()


def deployment(tmp_path: Path, **mesh: object) -> Path:
    """Write a configuration as deployments have it, with settings of the mesh."""
    places = {"dataDir": str(tmp_path / "data"), "runDir": str(tmp_path / "run")}
    return written(tmp_path, document_of(**(places | mesh)))


def check(path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Check a configuration."""
    command = [sys.executable, "-m", "services.supervisor", "--config", str(path), "--check", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_check_shows_the_plan_and_starts_nothing(tmp_path: Path) -> None:
    """Waves with commands, needs, ports and probes, for people and for programs; no secret, no file, no directory."""
    path = deployment(tmp_path, runtime="embedded")
    text, values = check(path).stdout, json.loads(check(path, "--json").stdout)
    names = [[service["name"] for service in wave] for wave in values["waves"]]
    postgres = next(service for wave in values["waves"] for service in wave if service["name"] == "postgres")

    assert names[0] == ["dbinit", "operator", "price-aggregator", "process-metrics"]
    assert ({"postgres-bootstrap": "completed"}, [5432]) == (postgres["needs"], postgres["ports"])
    assert "wave 3\n  postgres (longrun)\n" in text
    assert "    needs    postgres-bootstrap completed\n    ports    5432\n" in text
    assert ["configuration.json"] == [each.name for each in tmp_path.iterdir()]
    for secret in json.loads(path.read_text())["solution"].items():
        assert "assword" not in secret[0] or secret[1] not in text


def test_check_refuses_what_cannot_run(tmp_path: Path) -> None:
    """Two services that want one port, and a socket path that is too long, are found before any start."""
    clash = check(deployment(tmp_path, runtime="embedded", ports={"metrics": 5432}))
    long = check(deployment(tmp_path, runtime="embedded", runDir=f"/tmp/{'x' * 100}"), "--json")

    assert (1, 1) == (clash.returncode, clash.stdout.count("has 1 fault"))
    assert "solution.mesh.ports.metrics: found 5432, allowed: ports that nothing else has" in clash.stderr
    assert (1, False) == (long.returncode, json.loads(long.stdout)["ok"])
    assert "solution.mesh.runDir" in json.loads(long.stdout)["error"]
