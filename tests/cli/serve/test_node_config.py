"""A node's config.toml on a machine of its own."""

import tomllib
from pathlib import Path

import pytest

from cli.errors import CliError
from cli.serve import node_config
from meshkit.mutual_tls.tunnel import Address

TEXT = """
RootDir = "/sp"
[P2P]
PeerID = "12D3"
[P2P.V2]
Enabled = true
ListenAddresses = ["127.0.0.1:9903"]
AnnounceAddresses = ["127.0.0.1:9903"]
DefaultBootstrappers = ["12D4@node-1:9901"]
[[EVM]]
ChainID = "1337"
"""


async def test_only_the_addresses_change(tmp_path: Path) -> None:
    """Of all that the operator wrote only where the node listens and what it announces is of this machine."""
    (tmp_path / "config.toml").write_text(TEXT)
    target = tmp_path / "run" / "config.toml"
    await node_config.write(tmp_path / "config.toml", target, "0.0.0.0", Address("10.0.0.3", 9903))
    before, after = tomllib.loads(TEXT), tomllib.loads(target.read_text())
    assert after["P2P"]["V2"].pop("ListenAddresses") == ["0.0.0.0:9903"]
    assert after["P2P"]["V2"].pop("AnnounceAddresses") == ["10.0.0.3:9903"]
    del before["P2P"]["V2"]["ListenAddresses"], before["P2P"]["V2"]["AnnounceAddresses"]
    assert before == after
    assert target.stat().st_mode & 0o777 == 0o600


async def test_a_name_is_announced_as_a_number(tmp_path: Path) -> None:
    """Nodes can announce numeric addresses only, so a host's name is resolved; IPv6 stands in brackets."""
    (tmp_path / "config.toml").write_text(TEXT)
    for host, written in (("localhost", ("127.0.0.1:9903", "[::1]:9903")), ("fd00::3", ("[fd00::3]:9903",))):
        await node_config.write(tmp_path / "config.toml", tmp_path / "out", "::", Address(host, 9903))
        v2 = tomllib.loads((tmp_path / "out").read_text())["P2P"]["V2"]
        assert v2["AnnounceAddresses"][0] in written
        assert ["[::]:9903"] == v2["ListenAddresses"]


async def test_on_one_machine_the_file_is_as_it_was(tmp_path: Path) -> None:
    """Without a host of its own a node gets what the operator wrote, to the byte."""
    (tmp_path / "config.toml").write_text(TEXT)
    await node_config.write(tmp_path / "config.toml", tmp_path / "out", "127.0.0.1", None)
    assert TEXT == (tmp_path / "out").read_text()


@pytest.mark.parametrize("text", [None, "no = = toml"])
async def test_a_file_that_cannot_be_used(tmp_path: Path, text: str | None) -> None:
    """A missing or broken file is an error that names it and who makes it."""
    if text is not None:
        (tmp_path / "config.toml").write_text(text)
    with pytest.raises(CliError, match=r"config.toml cannot be used: .*feedmesh prepare"):
        await node_config.write(tmp_path / "config.toml", tmp_path / "out", "0.0.0.0", Address("10.0.0.3", 9903))
