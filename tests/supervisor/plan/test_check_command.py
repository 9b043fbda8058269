"""What `--check` says of a file."""

import json
from pathlib import Path

import pytest

from services.supervisor.plan import check_command

SIGNED = Path(__file__).parents[2] / "vectors/configuration.signed.json"
# Those of deployments' files that have no counterpart here; the aggregator has more.
VAIN = {
    *("pgDatabase", "primaryNodes", "linkCa", "adminContractAddress", "diamondContractAddress"),
    *("chainlinkNodeScAddress", "chainlinkFeedTemplatesDir"),
}


def test_keys_without_effect_are_named_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    """Every given key that changes nothing is listed, for programs and for people."""
    assert 0 == check_command.check(SIGNED, {}, as_json=True)
    named = json.loads(capsys.readouterr().out)["without_effect"]
    assert 0 == check_command.check(SIGNED, {}, as_json=False)
    lines = capsys.readouterr().out.splitlines()

    assert {f"solution.{key}" for key in VAIN} == {place for place in named if place.count(".") == 1}
    assert [f"without effect: {place}: {reason}" for place, reason in named.items()] == [
        line for line in lines if line.startswith("without effect: ")
    ]
    assert all(named.values())


def test_a_pushed_series_that_changes_nothing_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is in a section is found as well."""
    document = json.loads(SIGNED.read_text())
    document["solution"]["metricsPush"] = {"enabled": True, "url": "https://push.example/", "batchSize": 5}
    path = tmp_path / "configuration.json"
    path.write_text(json.dumps(document))

    assert 0 == check_command.check(path, {}, as_json=True)
    assert "solution.metricsPush.batchSize" in json.loads(capsys.readouterr().out)["without_effect"]


def test_the_file_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """The first line tells how large the network would be."""
    assert 0 == check_command.check(SIGNED, {}, as_json=False)

    assert f"{SIGNED} is valid: 5 nodes (4 oracles), 0 feeds" == capsys.readouterr().out.splitlines()[0]


def test_a_file_without_a_plan_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The reason is one line on standard error, or an object for programs."""
    path = tmp_path / "none.json"

    assert 1 == check_command.check(path, {}, as_json=False)
    assert capsys.readouterr().err.startswith(f"error: {path}: ")
    assert 1 == check_command.check(path, {}, as_json=True)
    refusal = json.loads(capsys.readouterr().out)
    assert (False, "INVALID_CONFIGURATION") == (refusal["ok"], refusal["reason"])
