"""The command as a person calls it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

VECTOR = Path(__file__).parents[1] / "vectors/configuration.signed.json"


def feedmesh(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (("run", "--nodes", "4"), 2, "NODES"),
        (("run", "--feeds", "NO / SUCH"), 2, "unknown feed 'NO / SUCH'"),
        (("run", "--profile", "other"), 2, "--profile"),
        (("check", "--config", "/nonexistent.json"), 1, "/nonexistent.json"),
        (("up", "--config", "/nonexistent.json"), 1, "/nonexistent.json"),
        (("status", "--run-dir", "/nonexistent"), 1, "no mesh runs here"),
        (("db", "status", "--run-dir", "/nonexistent"), 1, "no mesh runs here"),
        (("quote", "BTC", "--run-dir", "/nonexistent"), 2, "BASE/QUOTE"),
    ],
)
def test_bad_input_is_one_clear_line(arguments: tuple[str, ...], exit_code: int, message: str) -> None:
    """A mistake ends with its exit code and one line on standard error, and with --json also as an object."""
    done = feedmesh(*arguments, "--json")

    assert (exit_code, 1) == (done.returncode, len(done.stderr.splitlines()))
    assert message in done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["ok"] is False
    assert message in report["error"]


def test_the_first_process_of_a_container_becomes_the_supervisor() -> None:
    """As PID 1 `feedmesh up` is not above the supervisor but is it: what it says is the supervisor's, and its code."""
    first = ["unshare", "--pid", "--fork", "--mount-proc"]
    if subprocess.run([*first, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("a pid namespace is not permitted here")
    command = [*first, sys.executable, "-m", "cli", "up", "--config", "/nonexistent.json", "--logs"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    said = json.loads((done.stdout + done.stderr).splitlines()[-1])

    assert (1, "supervisor", "INVALID_CONFIGURATION") == (done.returncode, said["service"], said["reason"])


def test_check_accepts_a_deployment() -> None:
    """`feedmesh check` accepts a configuration as deployments have it."""
    done = feedmesh("check", "--config", str(VECTOR), "--json")

    shown = json.loads(done.stdout)

    assert (True, 5, 4, []) == (shown["ok"], shown["nodes"], shown["oracles"], shown["feeds"])
    assert "chainlink-node-5" in {service["name"] for wave in shown["waves"] for service in wave}


def test_known_feeds_are_listed() -> None:
    """`feedmesh feeds --known` lists the names that can be asked for."""
    assert "BTC / USD" in feedmesh("feeds", "--known").stdout.splitlines()


@pytest.mark.parametrize(
    "command", ["run", "up", "check", "status", "logs", "start", "stop", "restart", "quote", "feeds"]
)
def test_every_command_explains_itself(command: str) -> None:
    """Each command has help."""
    done = feedmesh(command, "--help")

    assert done.returncode == 0
    assert "--json" in done.stdout
