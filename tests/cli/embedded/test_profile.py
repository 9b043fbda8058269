"""The embedded profile's configuration file."""

import stat
from pathlib import Path

import orjson
import pytest

from cli.embedded import profile
from cli.errors import CliError, UsageError

FEEDS = ("BTC / USD", "ETH / USD")


@pytest.mark.parametrize("nodes", [-1, 0, 4, 33])
def test_impossible_number_of_nodes_is_refused(nodes: int) -> None:
    """A number of nodes outside the allowed range is refused with the range."""
    with pytest.raises(UsageError, match=rf"NODES .*found {nodes}, allowed 5 to 32"):
        profile.check_arguments(nodes, FEEDS)


@pytest.mark.parametrize(
    ("feeds", "message"),
    [
        ((), "found none"),
        (("BTC/USD",), "did you mean 'BTC / USD'"),
        (("BTC / USD", "BTC / USD"), "named twice"),
        (("TRUMATIC / MATIC Exchange Rate",), "priced by none of binance"),
    ],
)
def test_impossible_feeds_are_refused(feeds: tuple[str, ...], message: str) -> None:
    """No feed, an unknown feed and a feed named twice are refused."""
    with pytest.raises(UsageError, match=message):
        profile.check_arguments(5, feeds)


def test_secrets_are_kept_and_guarded(tmp_path: Path) -> None:
    """A second start keeps every secret, and the file is only the owner's."""
    first = orjson.loads(profile.write(tmp_path / "d", tmp_path / "r", 5, FEEDS).read_bytes())["solution"]
    path = profile.write(tmp_path / "d", tmp_path / "r", 7, FEEDS[:1])
    second = orjson.loads(path.read_bytes())["solution"]

    names = ("pgPassword", "chainlinkPassword", "chainlinkKeystorePassword", "faucetPrivateKey")
    assert [first[name] for name in names] == [second[name] for name in names]
    assert (first["totalNodes"], second["totalNodes"]) == (5, 7)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_secrets_differ_between_meshes(tmp_path: Path) -> None:
    """Two data directories share no secret."""
    secrets = [
        orjson.loads(profile.write(tmp_path / name, tmp_path, 5, FEEDS).read_bytes())["solution"]["pgPassword"]
        for name in ("a", "b")
    ]

    assert len(set(secrets)) == 2


def test_foreign_file_is_not_overwritten(tmp_path: Path) -> None:
    """A configuration.json that the profile did not write is refused and left as it is."""
    file = tmp_path / "configuration.json"
    file.write_text("{}")

    with pytest.raises(CliError, match="begin anew"):
        profile.write(tmp_path, tmp_path, 5, FEEDS)
    assert file.read_text() == "{}"


def test_data_directory_below_a_file_is_refused(tmp_path: Path) -> None:
    """A data directory that cannot be made is refused by name."""
    (tmp_path / "file").touch()

    with pytest.raises(CliError, match=str(tmp_path / "file")):
        profile.write(tmp_path / "file" / "data", tmp_path, 5, FEEDS)
