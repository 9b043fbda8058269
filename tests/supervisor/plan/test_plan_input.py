"""What the host offers."""

from pathlib import Path

import pytest
from eth_keys.datatypes import PrivateKey

from meshkit.configuration.solution import Configuration
from services.supervisor.errors import InvalidPlan
from services.supervisor.plan.plan_input import address_of, choose_programs, missing_capabilities
from tests.deployment import deployment
from tests.supervisor.plan.plans import all_run


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


def test_chainlink_without_its_program(tmp_path: Path) -> None:
    """Wanted for one node but missing, the error names that node's setting and the way out; auto makes do without."""
    environment = {"PATH": str(tmp_path)}
    wanted = Configuration.model_validate(deployment(runtime={"3": "chainlink"})).solution
    with pytest.raises(InvalidPlan, match=r"solution\.mesh\.runtime\.3: found 'chainlink', allowed: embedded or auto"):
        choose_programs(wanted, environment)
    auto = Configuration.model_validate(deployment()).solution
    assert (all_run("embedded"), "") == choose_programs(auto, environment)


def test_programs(tmp_path: Path) -> None:
    """With the program on the PATH every node runs it that is not told otherwise."""
    program = tmp_path / "chainlink"
    program.touch(mode=0o755)
    solution = Configuration.model_validate(deployment(runtime={"2": "embedded", "3": "chainlink"})).solution

    expected = ({**all_run("chainlink"), 2: "embedded"}, str(program))
    assert expected == choose_programs(solution, {"PATH": str(tmp_path)})


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
