"""`feedmesh prepare`: what each machine is given, and what it is not."""

import json
import tomllib
from pathlib import Path

import pytest

from cli.errors import CliError, UsageError
from cli.serve import prepare
from meshkit.configuration.load import load
from tests.cli.serve import spread_out


@pytest.fixture(name="shares", scope="module")
def _shares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("mesh")
    url = "postgresql://root:0dd-secret@db.example/postgres?sslmode=verify-full&sslrootcert=/etc/ca.crt"
    path = spread_out.write(directory, postgres={"url": url})
    written = prepare.prepare(path, directory / "out")
    assert ["aggregator", "operator", *(f"node-{index}" for index in range(1, 6))] == [each.name for each in written]
    return directory / "out"


def test_a_node_has_its_own_files_only(shares: Path) -> None:
    """A node is given its three files, with its own database and the hosts of the bootstrap nodes in them."""
    assert {"configuration.json", *prepare.NODE_FILES} == {file.name for file in (shares / "node-3").iterdir()}
    config = tomllib.loads((shares / "node-3" / "config.toml").read_text())
    (locator,) = config["P2P"]["V2"]["DefaultBootstrappers"]
    assert locator.endswith("@node-1.mesh.example:9901")
    secrets = tomllib.loads((shares / "node-3" / "secrets.toml").read_text())
    assert "@db.example:5432/chainlink_node_3?sslmode=verify-full" in secrets["Database"]["URL"]


def test_no_share_has_anothers_secrets(shares: Path) -> None:
    """Of the secrets of the file, nodes' and aggregator's shares have none; every share is valid, and 0600."""
    solution = json.loads((shares.parent / "configuration.json").read_text())["solution"]
    secrets = [solution[name] for name in ("pgPassword", "chainlinkKeystorePassword", "faucetPrivateKey")]
    for name in ("aggregator", *(f"node-{index}" for index in range(1, 6))):
        text = (shares / name / "configuration.json").read_text()
        assert [] == [secret for secret in [*secrets, "0dd-secret"] if secret in text], name
        assert load(shares / name / "configuration.json").solution.mesh.network.node_hosts == tuple(spread_out.HOSTS)
    assert all(secret in (shares / "operator" / "configuration.json").read_text() for secret in secrets)
    assert {0o600} == {file.stat().st_mode & 0o777 for file in shares.glob("*/*")}


def test_the_operator_has_all_keys(shares: Path) -> None:
    """The operator is given every node's key files, under names that a Secret may have; another run keeps them."""
    found = {file.name: file.read_bytes() for file in (shares / "operator").glob("*_key.json")}
    oracles = {f"{index}-{kind}_key.json" for index in range(2, 6) for kind in ("evm", "p2p", "ocr")}
    assert {"1-evm_key.json", "1-p2p_key.json"} | oracles == set(found)
    prepare.prepare(shares.parent / "configuration.json", shares.parent / "again")
    assert found == {file.name: file.read_bytes() for file in (shares.parent / "again/operator").glob("*_key.json")}


def test_without_hosts_or_server_there_is_nothing_to_prepare(tmp_path: Path) -> None:
    """A mesh on one machine, or without a server elsewhere, is refused with the key that is missing."""
    path = spread_out.write(tmp_path, network={})
    with pytest.raises(UsageError, match=r"solution\.mesh\.network\.nodeHosts: found none"):
        prepare.prepare(path, tmp_path / "out")
    with pytest.raises(UsageError, match=r"solution\.mesh\.postgres\.url: found none"):
        prepare.prepare_databases(path)
    assert not (tmp_path / "out").exists()


def test_the_operators_words_come_through(tmp_path: Path) -> None:
    """What the operator's program cannot do is told in its words."""
    (tmp_path / "secrets").write_text("a file in the way")
    with pytest.raises(CliError, match=r"services\.operator prepare ended with 1: .*secrets"):
        prepare.prepare(spread_out.write(tmp_path), tmp_path / "out")
