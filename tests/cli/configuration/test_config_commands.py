"""`feedmesh config`."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.app import app
from cli.errors import CliError, UsageError
from meshkit.configuration.faults.problem import InvalidConfiguration
from meshkit.configuration.signing.signature import PUBLIC_KEY_VARIABLE
from tests.deployment import KEYS, SIGNED, deployment, written

RUNNER = CliRunner()
PUBLIC = json.loads(KEYS.read_text())["publicKeyDerBase64"]


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no key be set."""
    monkeypatch.delenv(PUBLIC_KEY_VARIABLE, raising=False)


def config(*arguments: str | Path) -> Result:
    """Run the command; its errors are raised."""
    return RUNNER.invoke(app, ["config", *map(str, arguments)], catch_exceptions=False)


def raised(*arguments: str | Path) -> BaseException:
    """Run the command and return the error that it ends with."""
    with pytest.raises((CliError, InvalidConfiguration)) as caught:
        config(*arguments)
    return caught.value


@pytest.fixture(name="keys")
def _keys(tmp_path: Path) -> Path:
    """Give a directory with a new pair of keys."""
    assert 0 == config("keygen", tmp_path / "keys").exit_code
    return tmp_path / "keys"


def test_keys_are_made_once(keys: Path) -> None:
    """The private one is for its owner only, and neither is ever replaced."""
    private, public = keys / "configuration-signing.key", keys / "configuration-signing.pub"
    assert 0o600 == private.stat().st_mode & 0o777
    before = private.read_text(), public.read_text()
    assert "exists already" in str(raised("keygen", keys))
    assert before == (private.read_text(), public.read_text())


@pytest.mark.parametrize("given", ["absent", "null", "old", "escaped"])
def test_a_signed_file_keeps_its_text(tmp_path: Path, keys: Path, given: str) -> None:
    """Nothing but the signature changes, where one was and where none was, and it is valid by the public key."""
    document = deployment()
    if given != "absent":
        document["solution"]["signature"] = {"null": None, "old": "abc+/="}.get(given, "é")
    file = written(tmp_path, document)
    before = file.read_text()
    assert 0 == config("sign", file, "--key", keys / "configuration-signing.key").exit_code
    after = file.read_text()

    signed = json.loads(after)
    assert {**document["solution"], "signature": signed["solution"]["signature"]} == signed["solution"]
    lines, others = set(before.splitlines()), set(after.splitlines())
    assert all('"signature"' in line for line in lines ^ others)
    assert "is valid by the key sha256:" in config("verify", file, "--key", keys / "configuration-signing.pub").output
    assert "by another key" in str(raised("verify", file, "--key", PUBLIC))


def test_a_copy_can_be_signed(tmp_path: Path, keys: Path) -> None:
    """With --out the file itself stays as it is; its permissions go with the copy."""
    file = written(tmp_path, deployment())
    file.chmod(0o640)
    before = file.read_text()
    told = config("sign", file, "--key", keys / "configuration-signing.key", "--out", tmp_path / "signed", "--json")

    assert json.loads(told.output)["file"] == str(tmp_path / "signed")
    assert (before, 0o640) == (file.read_text(), (tmp_path / "signed").stat().st_mode & 0o777)


def test_deployments_files_are_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the key of the environment as well; a changed file and a missing key are errors."""
    monkeypatch.setenv(PUBLIC_KEY_VARIABLE, PUBLIC)
    assert 0 == config("verify", SIGNED).exit_code
    document: dict[str, Any] = json.loads(SIGNED.read_text())
    document["solution"]["maxRestarts"] = 4
    assert "found a signature of other content" in str(raised("verify", written(tmp_path, document)))
    monkeypatch.delenv(PUBLIC_KEY_VARIABLE)
    assert isinstance(raised("verify", SIGNED), UsageError)


def test_the_aggregators_yaml_is_joined(tmp_path: Path) -> None:
    """Its keys come into solution.priceAggregatorConfig, over those of the base file; a signature no longer holds."""
    document: dict[str, Any] = json.loads(SIGNED.read_text())
    section = document["solution"]["priceAggregatorConfig"]
    document["solution"]["priceAggregatorConfig"] = {"port": 3999, "logger": {"level": "warn"}, "proxy": "http://h:1"}
    yaml = tmp_path / "config.yaml"
    yaml.write_text(
        "# the aggregator\nport: 3000\nlogger:\n  level: debug\nsources:\n  okx: {enabled: true, rps: null}\n"
    )
    config("join", written(tmp_path, document), yaml, "--out", tmp_path / "whole.json")
    joined = json.loads((tmp_path / "whole.json").read_text())["solution"]

    assert {
        "port": 3000,
        "logger": {"level": "debug"},
        "proxy": "http://h:1",
        "sources": {"okx": {"enabled": True, "rps": None}},
    } == joined["priceAggregatorConfig"]
    assert "signature" not in joined
    assert document["solution"]["pgPassword"] == joined["pgPassword"]
    # JSON is YAML, and a base file need have no such section.
    del document["solution"]["priceAggregatorConfig"]
    yaml.write_text(json.dumps(section))
    whole = json.loads(config("join", written(tmp_path, document), yaml).output)
    assert section == whole["solution"]["priceAggregatorConfig"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a: [", "is no YAML"),
        ("- 1", "found no object"),
        ("a: 2020-01-01", "JSON does not have"),
        ("1: 2", "no object"),
    ],
)
def test_what_is_no_yaml_of_an_aggregator_is_refused(tmp_path: Path, content: str, said: str) -> None:
    """The error names the file and what is wrong with it."""
    yaml = tmp_path / "config.yaml"
    yaml.write_text(content)
    error = str(raised("join", SIGNED, yaml))
    assert str(yaml) in error
    assert said in error


def test_the_whole_configuration_is_shown_without_secrets(tmp_path: Path) -> None:
    """With all defaults, or only what is given; secrets are asterisks, also those in objects of any name."""
    document = deployment()
    document["solution"]["metricsPush"] = {"headers": {"X-Key": "marked-header"}}
    file = written(tmp_path, document)
    shown = config("show", file).output
    solution = json.loads(shown)["solution"]

    assert (5432, 10**22, "***") == (
        solution["pgPort"], solution["mesh"]["devchain"]["faucetWei"], solution["metricsPush"]["headers"]["X-Key"],
    )  # fmt: skip
    for secret in ("chainlink-db-password", "abababab", "push-password", "marked-header", "finnhub-api-key"):
        assert secret not in shown
    given = json.loads(config("show", file, "--given").output)["solution"]
    assert document["solution"].keys() == given.keys()
    assert {"feeds", "contracts"} == given["mesh"].keys()


def test_the_schema_is_the_committed_one() -> None:
    """`feedmesh config schema` writes what docs/ has."""
    committed = Path(__file__).parents[3] / "docs" / "configuration.schema.json"
    assert json.loads(committed.read_text()) == json.loads(config("schema").output)


@pytest.mark.parametrize(
    ("key", "path", "word"),
    [
        ("maxRestarts", "solution.maxRestarts", "MAX_RESTARTS"),
        ("mesh.egress", "solution.mesh.egress", "price-aggregator"),
        ("solution.priceAggregatorConfig.sources.okx.ttl", "solution.priceAggregatorConfig.sources.*.ttl", "5000"),
        ("primaryNodes", "solution.primaryNodes", "Accepted without effect"),
        ("linkCa", "solution.linkCa", "LINK token"),
    ],
)
def test_a_key_is_explained(key: str, path: str, word: str) -> None:
    """By its whole place or its last part: what it means, its default, who reads it, what stands in for it."""
    told = config("explain", key).output
    assert path == told.splitlines()[0]
    assert word in told


def test_an_unknown_key_has_neighbours() -> None:
    """The error names the nearest ones."""
    assert "solution.maxRestarts" in str(raised("explain", "maxRestart"))
