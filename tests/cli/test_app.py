"""The command as a person calls it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.app import app
from cli.embedded import profile
from tests.deployment import deployment, written

VECTOR = Path(__file__).parents[1] / "vectors" / "configuration.signed.json"


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
        (("run", "--nodes", "many"), 2, "--nodes"),
        (("status", "--nonsense"), 2, "--nonsense"),
        (("check",), 2, "--config"),
        (("nonsense",), 2, "nonsense"),
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


def test_check_accepts_a_deployment(tmp_path: Path) -> None:
    """`feedmesh check` accepts a configuration as deployments have it."""
    done = feedmesh("check", "--config", str(written(tmp_path, deployment())), "--json")

    shown = json.loads(done.stdout)

    assert (True, 5, 4, ["BTC / USD"]) == (shown["ok"], shown["nodes"], shown["oracles"], shown["feeds"])
    assert "chainlink-node-5" in {service["name"] for wave in shown["waves"] for service in wave}


def test_known_feeds_are_listed() -> None:
    """`feedmesh feeds --known` lists the names that can be asked for."""
    assert "BTC / USD" in feedmesh("feeds", "--known").stdout.splitlines()


@pytest.mark.parametrize(
    "command",
    [
        *("run", "up", "check", "status", "logs", "start", "stop", "restart", "quote", "feeds", "nodes", "jobs"),
        *("sources", "feeds import", "feeds show", "feeds history", "feeds verify", "feeds deploy", "feeds configure"),
    ],
)
def test_every_command_explains_itself(command: str) -> None:
    """Each command has help."""
    done = feedmesh(*command.split(), "--help")

    assert done.returncode == 0
    assert "--json" in done.stdout


@pytest.mark.parametrize("words", [[], ["status"], ["feeds"], ["feeds", "show"], ["config", "sign"]], ids=" ".join)
def test_help_has_a_short_option(words: list[str]) -> None:
    """`-h` is `--help` everywhere."""
    short, long = (CliRunner().invoke(app, [*words, option]) for option in ("-h", "--help"))

    assert (0, long.stdout) == (short.exit_code, short.stdout)
    assert "Usage" in short.stdout


def test_help_keeps_what_stands_in_brackets() -> None:
    """Help is plain text: what looks like markup is shown."""
    assert "[env: FEEDMESH_RUN_DIR]" in CliRunner().invoke(app, ["status", "--help"]).stdout


def test_the_version_is_an_option_too() -> None:
    """`feedmesh --version` says what `feedmesh version` says."""
    option, command = (CliRunner().invoke(app, [words]) for words in ("--version", "version"))

    assert (0, command.stdout) == (option.exit_code, option.stdout)
    assert option.stdout.startswith("feedmesh ")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("run", "--help"),
        ("feeds", "--known"),
        ("feeds", "lint", "--offline"),
        ("check", "--config", str(VECTOR)),
        ("nonsense",),
    ],
    ids=" ".join,
)
def test_who_asks_no_server_pays_for_none(arguments: tuple[str, ...]) -> None:
    """Help, the lists of what is known and refused arguments load nothing that only talking with a mesh needs."""
    loaded = loaded_by(*arguments)

    assert "typer" in loaded
    assert set() == loaded & {"aiohttp", "grpc", "google.protobuf", "web3", "asyncpg", "uvloop"}


def test_check_loads_no_parser_of_c(tmp_path: Path) -> None:
    """Addresses are hashed, the faucet's key has an address, and memory is looked at without what loads slowest."""
    config = profile.write(tmp_path / "data", tmp_path / "run", 5, ("BTC / USD",))

    loaded = loaded_by("check", "--config", str(config))

    assert {"meshkit.ethereum.keccak", "coincurve"} <= loaded
    assert set() == loaded & {"cffi.cparser", "pycparser", "psutil", "eth_utils", "rich"}


def test_check_starts_no_other_interpreter() -> None:
    """A configuration is read in the process of the command: to start Python anew takes as long as the check."""
    assert {"typer", "services.supervisor.plan.check_command"} <= loaded_by("check", "--config", str(VECTOR))


def test_who_has_no_templates_pays_for_none() -> None:
    """A check of a file whose directory of templates is not there loads nothing that reads them."""
    readers = {f"meshkit.job_templates.{name}" for name in ("dot", "findings", "price_pipeline")}

    assert set() == loaded_by("check", "--config", str(VECTOR)) & readers


def loaded_by(*arguments: str) -> set[str]:
    """Return the modules that a command imports in its own process."""
    program = "import sys; from cli.app import main; main()"
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", program, *arguments], capture_output=True, text=True, check=False
    )
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}


def test_help_reads_no_configuration() -> None:
    """The models of the configuration are for commands that read one."""
    program = "import sys, cli.app; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert set() == set(done.stdout.split()) & {"pydantic", "orjson", "asyncio", "aiohttp", "grpc", "web3"}


def test_help_without_a_command_is_a_wrong_call() -> None:
    """Who gives no command sees what there is, and the exit code of wrong arguments."""
    done = feedmesh()

    assert (2, "") == (done.returncode, done.stderr)
    assert "Usage" in done.stdout
