"""What the host offers."""

from pathlib import Path

import pytest
from eth_keys.datatypes import PrivateKey

from services.supervisor.errors import InvalidPlan
from services.supervisor.plan.plan_input import NodeRuntime, address_of, choose_runtime, missing_capabilities


@pytest.mark.parametrize("prefix", ["", "0x"])
def test_known_key(prefix: str) -> None:
    """The key whose address is widely published gives that address, with or without 0x."""
    key = prefix + "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"

    assert "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266" == address_of(key)


def test_addresses_are_those_of_eth_keys() -> None:
    """Letters are raised as another implementation of the checksum raises them."""
    for number in range(1, 40):
        key = number.to_bytes(32, "big")

        assert PrivateKey(key).public_key.to_checksum_address() == address_of(key.hex())


@pytest.mark.parametrize(
    ("wanted", "present", "chosen"),
    [
        ("auto", True, "chainlink"),
        ("auto", False, "embedded"),
        ("embedded", True, "embedded"),
        ("chainlink", True, "chainlink"),
    ],
)
def test_runtime(tmp_path: Path, wanted: NodeRuntime, present: bool, chosen: str) -> None:
    """`auto` takes the chainlink binary where it is on the PATH."""
    if present:
        (tmp_path / "chainlink").touch(mode=0o755)

    assert chosen == choose_runtime(wanted, str(tmp_path))


def test_chainlink_without_its_binary(tmp_path: Path) -> None:
    """Wanted but missing, the error names the setting and the way out."""
    with pytest.raises(InvalidPlan, match=r"solution\.mesh\.runtime: found 'chainlink', allowed: embedded or auto"):
        choose_runtime("chainlink", str(tmp_path))


@pytest.mark.parametrize(
    ("effective", "expected"),
    [
        ("000001ffffffffff", ()),
        ("00000000000000e3", ()),
        ("00000000000000a3", ("SETGID",)),
        ("00000000a80425fb", ()),  # what engines of containers give by default
        ("0000000000000000", ("CHOWN", "DAC_OVERRIDE", "KILL", "SETGID", "SETUID")),
    ],
)
def test_missing_capabilities(effective: str, expected: tuple[str, ...]) -> None:
    """Those that a process has not are found in its status."""
    status = f"Name:\tpython3\nCapPrm:\t000001ffffffffff\nCapEff:\t{effective}\n"

    assert expected == missing_capabilities(status)
