"""`feedmesh feeds import`."""

import json
from pathlib import Path

import pytest

from cli.errors import CliError, UsageError
from cli.feeds import importing
from meshkit.configuration import start_check
from meshkit.job_templates.findings import file_name
from tests.deployment import deployment, written
from tests.job_templates import FEEDS, Leg, direct, of

A = "0x" + "1" * 40


def deployed(directory: Path) -> Path:
    """Write a deployment's templates and addresses into a directory."""
    for feed in FEEDS:
        (directory / file_name(feed["name"])).write_text(of(feed))
    addresses = {feed["name"]: {"5611": f"0x{at:040d}"} for at, feed in enumerate(FEEDS, 1)}
    (directory / "feed-cas.json").write_text(json.dumps(addresses))
    return directory


def test_a_deployments_templates_are_taken_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All 260 become feeds with their contracts, and their 38 evident errors are told, and that of USDf."""
    assert 0 == importing.show(deployed(tmp_path), None, 5611, None, as_json=True)
    told = json.loads(capsys.readouterr().out)

    assert [feed["name"] for feed in sorted(FEEDS, key=lambda feed: file_name(feed["name"]))] == told["feeds"]
    evident = {feed["name"] for feed in FEEDS if "errors" in feed} | {"USDf / USD"}
    assert sorted(evident) == told["feeds_with_errors"]
    addresses = told["configuration"]["solution"]["mesh"]["contracts"]["addresses"]
    assert f"0x{1:040d}" == addresses[FEEDS[0]["name"]]


def test_what_was_taken_over_is_a_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The part on standard output, put into a deployment's file, is accepted; the report is beside it."""
    (tmp_path / "eth-usd.toml").write_text(direct("ETH / USD", [Leg("coingecko", "ether-2"), Leg("kraken", "ETH")]))
    (tmp_path / "own-usd.toml").write_text(direct("OWN / USD", [Leg("kraken", "OWN")]))
    (tmp_path / "feed-cas.json").write_text(json.dumps({"ETH / USD": {"5611": A}}))

    assert 0 == importing.show(tmp_path, None, 5611, None, as_json=False)
    told = capsys.readouterr()
    mesh = json.loads(told.out)["solution"]["mesh"]

    assert {"feeds": ["ETH / USD"], "contracts": {"addresses": {"ETH / USD": A}}} == mesh
    assert () == start_check.check(written(tmp_path, deployment(**mesh)), {}).problems
    assert "error    ETH / USD: wrong-coin: coingecko ether-2/USD" in told.err
    assert "stays    OWN / USD" in told.err
    assert told.err.splitlines()[-1].startswith("1 feeds taken over, 1 stay templates; 1 templates have errors")


def test_the_part_can_go_into_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --out the report is on standard output."""
    (tmp_path / "eth-usd.toml").write_text(direct("ETH / USD", [Leg("kraken", "ETH")]))

    importing.show(tmp_path, None, None, tmp_path / "part.json", as_json=False)

    assert {"solution": {"mesh": {"feeds": ["ETH / USD"]}}} == json.loads((tmp_path / "part.json").read_text())
    assert "warning  ETH / USD: few-sources" in capsys.readouterr().out


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    """A directory without templates, a file that is none of addresses, and addresses of no chain are refused."""
    with pytest.raises(CliError, match=r"has no \*\.toml"):
        importing.show(tmp_path, None, None, None, as_json=False)
    with pytest.raises(CliError, match="cannot be listed"):
        importing.show(tmp_path / "none", None, None, None, as_json=False)
    (tmp_path / "a.toml").write_text("no toml")
    with pytest.raises(UsageError, match="--chain-id"):
        importing.show(tmp_path, tmp_path / "x.json", None, None, as_json=False)
    with pytest.raises(CliError, match=r"feed-cas\.json cannot be read"):
        importing.show(tmp_path, None, 1, None, as_json=False)
    assert 1 == importing.show(tmp_path, None, None, None, as_json=False)


def test_addresses_get_their_checksum(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Small letters become those that a configuration demands; a typing error is refused."""
    (tmp_path / "eth-usd.toml").write_text(direct("ETH / USD", [Leg("kraken", "ETH")]))
    (tmp_path / "feed-cas.json").write_text(json.dumps({"eth-usd": {"5611": "0x" + "ab" * 20}}))

    importing.show(tmp_path, None, 5611, None, as_json=False)
    mesh = json.loads(capsys.readouterr().out)["solution"]["mesh"]
    assert {"ETH / USD": "0xABaBaBaBABabABabAbAbABAbABabababaBaBABaB"} == mesh["contracts"]["addresses"]

    (tmp_path / "feed-cas.json").write_text(
        json.dumps({"5611": {"ETH / USD": "0xabaBaBaBABabABabAbAbABAbABabababaBaBABaB"}})
    )
    with pytest.raises(CliError, match="wrong checksum"):
        importing.show(tmp_path, None, 5611, None, as_json=False)
