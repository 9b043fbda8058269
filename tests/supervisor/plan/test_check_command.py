"""What `--check` says of a file."""

import json
from pathlib import Path

import pytest

from meshkit.configuration.signing import signature
from services.supervisor.plan import check_command
from tests.deployment import KEYS, SIGNED, deployment, written

# Those of deployments' files that have no counterpart here; the aggregator has more.
VAIN = {
    *("pgDatabase", "primaryNodes", "diamondContractAddress", "chainlinkNodeScAddress"),
}


def test_keys_without_effect_are_named_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    """Every given key that changes nothing is listed, for programs and for people, whatever else is wrong."""
    assert 1 == check_command.check(SIGNED, {}, as_json=True)
    named = json.loads(capsys.readouterr().out)["without_effect"]
    assert 1 == check_command.check(SIGNED, {}, as_json=False)
    lines = capsys.readouterr().out.splitlines()

    assert {f"solution.{key}" for key in VAIN} == {place for place in named if place.count(".") == 1}
    assert [f"without effect: {place}: {reason}" for place, reason in named.items()] == [
        line for line in lines if line.startswith("without effect: ")
    ]
    assert all(named.values())


def test_a_pushed_series_that_changes_nothing_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is in a section is found as well."""
    document = deployment()
    document["solution"]["metricsPush"] = {"enabled": True, "url": "https://push.example/", "batchSize": 5}
    path = tmp_path / "configuration.json"
    path.write_text(json.dumps(document))

    assert 0 == check_command.check(path, {}, as_json=True)
    assert "solution.metricsPush.batchSize" in json.loads(capsys.readouterr().out)["without_effect"]


def test_the_file_is_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The first line tells how large the network would be."""
    path = written(tmp_path, deployment())
    assert 0 == check_command.check(path, {}, as_json=False)

    assert f"{path} is valid: 5 nodes (4 oracles), 1 feeds" == capsys.readouterr().out.splitlines()[0]


def test_a_file_of_an_existing_system_says_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    """What would run and what has no effect is told, what is missing on standard error, with its line in the file."""
    assert 1 == check_command.check(SIGNED, {}, as_json=False)
    told = capsys.readouterr()

    assert f"{SIGNED} has 2 faults: 5 nodes (4 oracles), 0 feeds" == told.out.splitlines()[0]
    assert "signature: unchecked: CONFIGURATION_PUBLIC_KEY is not set" == told.out.splitlines()[1]
    assert "  chainlink-node-5 (longrun)" in told.out.splitlines()
    assert 5 == told.out.splitlines().count("    runtime  embedded")
    assert [
        f"error: {SIGNED} has 2 faults:",
        "  line 2: solution.mesh.feeds: found none, allowed: at least one feed; `feedmesh feeds --known` lists them",
        "  line 30: solution.faucetTopupWei: found 10000000000000, allowed: at least 5000000000000000, one "
        "transmission of 500000 gas at chainlinkGasPrice 10000000000",
    ] == told.err.splitlines()


def test_a_file_must_be_signed_by_the_key_that_is_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A changed file and an unsigned one are refused by the key's name, for people and for who wants to run it."""
    keys = json.loads(KEYS.read_text())
    environment = {"CONFIGURATION_PUBLIC_KEY": keys["publicKeyDerBase64"]}
    document = deployment()
    key_file = tmp_path / "key"
    key_file.write_text(keys["privateKeyDerBase64"])
    key = signature.private_key(key_file)
    name = signature.fingerprint(key.public_key())
    unsigned = written(tmp_path, document)
    assert 1 == check_command.check(unsigned, environment, as_json=False)
    assert "solution.signature: found no signature, allowed:" in capsys.readouterr().err
    assert 1 == check_command.write_plan(unsigned, environment)
    assert json.loads(capsys.readouterr().out)["ok"] is False

    document["solution"]["signature"] = signature.sign(document, key)
    assert 0 == check_command.check(written(tmp_path, document), environment, as_json=False)
    assert f"signature: valid by the key {name}" == capsys.readouterr().out.splitlines()[1]
    document["solution"]["maxRestarts"] = 4
    assert 1 == check_command.check(written(tmp_path, document), environment, as_json=False)
    assert (
        f"a signature of other content, or by another key, allowed: the signature of this content by the key {name}"
        in (capsys.readouterr().err)
    )
    assert 1 == check_command.write_plan(unsigned, environment)


def test_a_file_without_a_plan_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The reason is one line on standard error, or an object for programs."""
    path = tmp_path / "none.json"

    assert 1 == check_command.check(path, {}, as_json=False)
    assert capsys.readouterr().err.startswith(f"error: {path}: ")
    assert 1 == check_command.check(path, {}, as_json=True)
    refusal = json.loads(capsys.readouterr().out)
    assert (False, "INVALID_CONFIGURATION") == (refusal["ok"], refusal["reason"])


def test_a_feed_of_ocr2_needs_chainlinks_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With nodes that run ours for want of theirs it is refused, with these nodes and the ways out; with theirs not."""
    program = tmp_path / "chainlink"
    program.touch(mode=0o755)
    document = deployment(feedSettings={"BTC / USD": {"ocrVersion": 2}}, runtime={"2": "auto", "3": "auto"})
    document["solution"]["mesh"]["contracts"]["addresses"] = {"BTC / USD": "0x2a7e395BC8f1A495a0d4C00B119E3d154BB9f615"}
    path = written(tmp_path, document)

    assert 1 == check_command.check(path, {"PATH": "/nowhere"}, as_json=True)
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert ("solution.mesh.feedSettings.BTC / USD.ocrVersion", "2") == (problem["path"], problem["found"])
    assert problem["allowed"].startswith("1, since nodes 1, 2, 3, 4, 5 run our own program")
    assert 0 == check_command.check(path, {"CHAINLINK_BIN": str(program)}, as_json=True)
