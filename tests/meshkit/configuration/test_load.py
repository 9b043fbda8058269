"""Reading configuration.json."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from cli.embedded.profile import document_for
from meshkit import log
from meshkit.configuration.faults.problem import InvalidConfiguration
from meshkit.configuration.keys_by_service import AGGREGATOR
from meshkit.configuration.load import load, load_from_environment
from meshkit.errors import InvalidInput

VECTOR = Path(__file__).parents[2] / "vectors/configuration.signed.json"


@pytest.fixture(name="document")
def _document() -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(VECTOR.read_bytes())
    return document


def write(path: Path, document: object) -> Path:
    """Write a configuration file."""
    file = path / "configuration.json"
    file.write_bytes(orjson.dumps(document))
    return file


def test_deployment_file_is_read() -> None:
    """A whole configuration as deployments have it is accepted, numbers in texts included."""
    solution = load(VECTOR).solution

    assert (solution.total_nodes, solution.nodes_list, solution.chainlink_chain_id) == (5, (1, 2, 3, 4, 5), 5611)
    assert solution.price_aggregator_config.sources["binance"].stale_trigger_before_expiry == 5000
    assert solution.price_aggregator_config.sources["frankfurter"].rps is None


def test_secrets_are_censored_after_reading() -> None:
    """Every secret of the file is known to the log, and none is in the text form of the model."""
    configuration = load(VECTOR)

    assert log.censor("chainlink-db-password") == log.CENSORED
    assert "chainlink-db-password" not in repr(configuration)
    assert "push-password" not in repr(configuration)


def test_a_path_below_the_directory_of_secrets_is_read(tmp_path: Path, document: dict[str, Any]) -> None:
    """The value is what the file holds, checked and censored as any; a path beside the directory is only text."""
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "pg").write_text("a-password-of-a-file\n")
    (secrets / "key").write_text("a-key-of-a-file")
    document["solution"] |= {"spSecretsDir": str(secrets), "pgPassword": str(secrets / "pg")}
    document["solution"] |= {"chainlinkNodeName": str(tmp_path / "secrets-of-others")}
    document["solution"]["priceAggregatorConfig"]["sources"]["finnhub"]["apiKey"] = str(secrets / "key")
    solution = load(write(tmp_path, document)).solution

    api_key = solution.price_aggregator_config.sources["finnhub"].api_key
    assert "a-password-of-a-file" == solution.pg_password.get_secret_value()
    assert "a-key-of-a-file" == (api_key and api_key.get_secret_value())
    assert str(tmp_path / "secrets-of-others") == solution.chainlink_node_name
    assert log.censor("a-key-of-a-file") == log.CENSORED


def test_secrets_that_cannot_be_read_are_all_named(tmp_path: Path, document: dict[str, Any]) -> None:
    """Every key whose file is missing is in the error; a file with too short a secret is refused without its text."""
    (tmp_path / "short").write_text("tiny")
    document["solution"] |= {"spSecretsDir": str(tmp_path), "pgPassword": str(tmp_path / "none")}
    document["solution"]["faucetPrivateKey"] = str(tmp_path / "lost")
    with pytest.raises(InvalidConfiguration) as caught:
        load(write(tmp_path, document))
    document["solution"] |= {"pgPassword": str(tmp_path / "short"), "faucetPrivateKey": "0x" + "1" * 64}
    with pytest.raises(InvalidConfiguration) as short:
        load(write(tmp_path, document))

    assert [
        (f"solution.{key}", f"the file {tmp_path / name}, which cannot be read: No such file or directory")
        for key, name in (("pgPassword", "none"), ("faucetPrivateKey", "lost"))
    ] == [(problem.path, problem.found) for problem in caught.value.problems]
    assert ["solution.pgPassword"] == [problem.path for problem in short.value.problems]
    assert "tiny" not in str(short.value)


@pytest.mark.parametrize(
    ("place", "name", "expected"),
    [
        ((), "pgUsr", "solution.pgUsr: found an unknown key, allowed: a known key; did you mean 'pgUser'?"),
        (("mesh",), "feed", "solution.mesh.feed: found an unknown key, allowed: a known key; did you mean 'feeds'?"),
        (
            ("priceAggregatorConfig", "sources", "binance"),
            "baseUrI",
            "solution.priceAggregatorConfig.sources.binance.baseUrI: found an unknown key, allowed: a known key; "
            "did you mean 'baseUrl'?",
        ),
    ],
)
def test_unknown_key_is_named_with_the_nearest(
    tmp_path: Path, document: dict[str, Any], place: tuple[str, ...], name: str, expected: str
) -> None:
    """An unknown key is refused with its path and the nearest known name."""
    section = document["solution"]
    for part in place:
        section = section.setdefault(part, {})
    section[name] = 1

    with pytest.raises(InvalidConfiguration) as caught:
        load(write(tmp_path, document))
    assert [expected] == [str(replace(problem, line=0)) for problem in caught.value.problems]


def test_bad_value_is_named_without_the_value(tmp_path: Path, document: dict[str, Any]) -> None:
    """A value that is not allowed is refused by path and rule, and never shown."""
    document["solution"]["chainlinkPassword"] = "too-short-pw"

    with pytest.raises(InvalidConfiguration) as caught:
        load(write(tmp_path, document))
    assert "solution.chainlinkPassword" in str(caught.value)
    assert "too-short-pw" not in str(caught.value)


def test_unknown_feed_is_refused(tmp_path: Path, document: dict[str, Any]) -> None:
    """A feed that does not exist is refused with the nearest name."""
    document["solution"]["mesh"] = {"feeds": ["BTC/USD"]}

    with pytest.raises(InvalidConfiguration, match="did you mean 'BTC / USD'"):
        load(write(tmp_path, document))


def test_nodes_may_serve_the_market_capitalisation(tmp_path: Path, document: dict[str, Any]) -> None:
    """A feed that is no price of a pair is a feed as others are."""
    document["solution"]["mesh"] = {"feeds": ["Total Marketcap / USD"]}

    assert ("Total Marketcap / USD",) == load(write(tmp_path, document)).solution.mesh.feeds


@pytest.mark.parametrize(("total", "bootstrap"), [(4, 1), (5, 2), (40, 1)])
def test_impossible_networks_are_refused(tmp_path: Path, document: dict[str, Any], total: int, bootstrap: int) -> None:
    """Fewer than 4 or more than 31 oracles are refused."""
    document["solution"] |= {"totalNodes": total, "bootstrapNodes": bootstrap, "nodesList": ""}

    with pytest.raises(InvalidConfiguration):
        load(write(tmp_path, document))


@pytest.mark.parametrize(
    ("name", "value"),
    [("name", "primary"), ("httpUrl", "http://127.0.0.1:1"), ("wsUrl", "ws://127.0.0.1:1")],
)
def test_endpoints_that_are_the_same_are_refused(
    tmp_path: Path, document: dict[str, Any], name: str, value: str
) -> None:
    """Two endpoints of one name or address, which nodes would not start with, are refused by their place."""
    first = {"chainlinkRpcHttpUrl": "http://127.0.0.1:1", "chainlinkRpcWsUrl": "ws://127.0.0.1:1"}
    other = {"name": "second", "httpUrl": "http://127.0.0.1:2", "wsUrl": "ws://127.0.0.1:2"}
    document["solution"] |= first | {"chainlinkNodeName": "primary", "mesh": {"rpcEndpoints": [other]}}
    assert "second" == load(write(tmp_path, document)).solution.mesh.rpc_endpoints[0].name
    third = {"name": "third", "httpUrl": "http://127.0.0.1:3", "wsUrl": "ws://127.0.0.1:3", name: value}
    document["solution"]["mesh"] = {"rpcEndpoints": [other, third]}
    with pytest.raises(
        InvalidConfiguration,
        match=rf"mesh\.rpcEndpoints\.1\.{name}: found that of \w+, allowed: one that no other endpoint has",
    ):
        load(write(tmp_path, document))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"])
def test_what_is_no_configuration_is_refused(tmp_path: Path, content: bytes) -> None:
    """A file that is not JSON or not an object is refused with its path."""
    file = tmp_path / "configuration.json"
    file.write_bytes(content)

    with pytest.raises(InvalidConfiguration, match=str(file)):
        load(file)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    """A file that does not exist is refused with its path."""
    with pytest.raises(InvalidConfiguration, match="No such file"):
        load(tmp_path / "none.json")


def test_embedded_profile_is_a_valid_configuration(tmp_path: Path) -> None:
    """What the embedded profile writes is accepted by the one loader."""
    secrets = {
        "pgPassword": "p" * 24,
        "chainlinkPassword": "c" * 24,
        "chainlinkKeystorePassword": "k" * 24,
        "faucetPrivateKey": "0x" + "1" * 64,
    }
    document = document_for(tmp_path, tmp_path, 7, ["BTC / USD"], 100, secrets)
    solution = load(write(tmp_path, {"solution": document})).solution

    assert (solution.total_nodes, solution.mesh.feeds, solution.mesh.ports.metrics) == (7, ("BTC / USD",), 3103)


def test_the_environment_names_the_file() -> None:
    """FEEDMESH_CONFIG is the path of the file that is read."""
    found = load_from_environment({"FEEDMESH_CONFIG": str(VECTOR)}, AGGREGATOR)
    assert load(VECTOR).solution.price_aggregator_config.port == found.solution.price_aggregator_config.port


@pytest.mark.parametrize("environment", [{}, {"FEEDMESH_CONFIG": ""}])
def test_an_environment_without_the_file_is_refused(environment: dict[str, str]) -> None:
    """The error names the variable, and what it is to be."""
    with pytest.raises(InvalidInput, match=r"^FEEDMESH_CONFIG: .*the path of a configuration\.json"):
        load_from_environment(environment, AGGREGATOR)


def test_every_service_says_alike_that_the_variable_is_missing() -> None:
    """Each process that reads the configuration ends with 1 and the same line."""
    environment = {name: value for name, value in os.environ.items() if name != "FEEDMESH_CONFIG"}
    errors = set()
    for service in ("aggregator", "dbinit", "metrics", "operator"):
        ended = subprocess.run(
            [sys.executable, "-m", f"services.{service}"], env=environment, capture_output=True, timeout=60, check=False
        )
        assert (1, b"") == (ended.returncode, ended.stderr)
        errors.add(json.loads(ended.stdout.splitlines()[-1])["error"])

    assert 1 == len(errors)
    assert errors.pop().startswith("FEEDMESH_CONFIG: ")
