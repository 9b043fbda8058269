"""The command line of the development chain."""

from __future__ import annotations

from pathlib import Path

import pytest

from devkit.chain.config import ChainConfig, Funding, parse
from meshkit.errors import InvalidInput

ADDRESS = "0x359C282e8a18AAC32C4392bD584dE9e5e75F7dfE"


def test_defaults() -> None:
    """Only the state directory must be given."""
    expected = ChainConfig(port=8545, chain_id=1337, block_time_s=1, state_dir=Path("d"), funds=())

    assert expected == parse(["--state-dir", "d"])


def test_everything() -> None:
    """Every option is taken; funds keep their order and may be lower-case and huge."""
    options = ["--port", "1", "--chain-id", "2", "--block-time", "3", "--state-dir", "d"]

    config = parse([*options, "--fund", f"{ADDRESS}=5", "--fund", f"{ADDRESS.lower()}={10**30}"])

    assert (1, 2, 3) == (config.port, config.chain_id, config.block_time_s)
    assert (Funding(ADDRESS, 5), Funding(ADDRESS, 10**30)) == config.funds


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--port", "0"),
        ("--port", "65536"),
        ("--chain-id", "0"),
        ("--block-time", "0"),
        ("--fund", ""),
        ("--fund", ADDRESS),
        ("--fund", "=1"),
        ("--fund", f"{ADDRESS[2:]}=1"),
        ("--fund", f"{ADDRESS}="),
        ("--fund", f"{ADDRESS}=-1"),
        ("--fund", f"{ADDRESS}=1.5"),
        ("--fund", f"{ADDRESS}=1e18"),
        ("--fund", f"{ADDRESS[:-1]}=1"),
        ("--fund", f"{ADDRESS.replace('C', 'c', 1)}=1"),
    ],
)
def test_refused(option: str, value: str) -> None:
    """A value that makes no sense is refused with the option, the value, and what is allowed."""
    with pytest.raises(InvalidInput) as refused:
        parse(["--state-dir", "d", option, value])

    assert option == refused.value.field
    assert value == str(refused.value.found)
