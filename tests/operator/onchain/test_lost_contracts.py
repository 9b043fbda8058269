"""Where an account's contracts are."""

import pytest

from services.operator.onchain.lost_contracts import address_of


@pytest.mark.parametrize(
    ("nonce", "address"),
    [
        (0, "0x5FbDB2315678afecb367f032d93F642f64180aa3"),
        (1, "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512"),
        (2, "0x9fE46736679d2D9a65F0992F2272dE9f3c7fa6e0"),
    ],
)
def test_addresses_are_those_that_every_chain_gives(nonce: int, address: str) -> None:
    """The first contracts of the first account of development chains are where everybody knows them to be."""
    assert address == address_of("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", nonce)
