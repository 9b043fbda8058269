"""The faucet's address."""

import pytest

from services.supervisor.plan.faucet import address


@pytest.mark.parametrize("prefix", ["", "0x"])
def test_known_key(prefix: str) -> None:
    """The key whose address is widely published gives that address, with or without 0x."""
    key = prefix + "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"

    assert "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266" == address(key)
